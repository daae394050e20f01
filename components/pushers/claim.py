"""A version's number in a bucket, which one push alone gets."""

from typing import Final

CLAIMS_FOLDER: Final = ".claims"
_GS: Final = "gs://"


def claim(model_dir: str, number: int) -> bool:
    """Takes a number for one push, by an object that Cloud Storage makes for one of all who ask at once.

    It lies beside the versions, where servers see no version in it, and stays: a number is never given again. Other
    buckets that TensorFlow's file system knows have no such condition, so there a number is free to whoever asks.

    Args:
        model_dir: folder of the model's versions.
        number: of a version, >= 1.

    Returns:
        False if another push has it.

    Raises:
        OSError: the bucket refuses.
    """
    if not model_dir.startswith(_GS):
        return True
    from google.api_core.exceptions import GoogleAPIError, PreconditionFailed
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import storage

    bucket, _, folder = model_dir.removeprefix(_GS).partition("/")
    try:
        blob = storage.Client(project=None).bucket(bucket).blob(f"{folder}/{CLAIMS_FOLDER}/{number}")
        blob.upload_from_string(b"", if_generation_match=0)
    except PreconditionFailed:
        return False
    except (GoogleAPIError, GoogleAuthError) as error:
        raise OSError(str(error)) from error
    return True
