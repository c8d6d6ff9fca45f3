"""The month from one origin: experts, trees and MSTL, mixed by a gate."""
