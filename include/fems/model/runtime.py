"""How TensorFlow is started: quiet, repeatable, and on as many threads as asked for."""

import contextlib
import os


def prepare(seed: int, threads: int = 1) -> None:
    """Seed everything. Call before building a model.

    On one thread of a CPU the seed alone makes a training repeatable. TensorFlow's own switch for
    determinism would say so too, but it turns XLA off, which doubles the one-step model's training time.

    A GPU that TensorFlow finds is used. Its sums have no fixed order, so there the same seed gives the same
    model to within rounding; CUDA_VISIBLE_DEVICES=-1 in the environment hides it.

    Two threads are no faster than one for nets this small; running two factories side by side is. Once
    TensorFlow has started in this process its thread count stays as it is.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.utils.set_random_seed(seed)
