"""Picture files -> arrays, whatever the format and whichever way up the camera was held."""

import io
import struct

import numpy as np
from PIL import Image, ImageOps

from mnist_core.drawing.recipe import to_bytes
from mnist_core.errors import UnreadablePicture

MOST_BYTES = 10 * 1024 * 1024
# Recognised by content, whatever the file's name.
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
# The brand in a file's first bytes. iPhones write HEIC; AVIF starts the same way, and is only
# read if Pillow was built with it.
AVIF_BRANDS = {b"avif", b"avis"}
HEIC_BRANDS = {
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"heif",
    b"mif1", b"mif2", b"msf1",
}  # fmt: skip
# A JPEG is shrunk while it is decoded, other formats only afterwards.
MOST_PIXELS, MOST_PIXELS_OF_JPEG = 20_000_000, 60_000_000
# Larger pictures are shrunk to this many pixels a side before anything is computed: a digit
# needs no more, and thirty visitors share the memory.
MOST_SIDE = 1200


def read_picture(content: bytes) -> np.ndarray:
    """Decode a picture file and turn it the way its camera was held; only the first frame.

    Returns:
        uint8 grey (h, w), or RGBA (h, w, 4) if parts of it are transparent; at most 1,200
        pixels a side.

    Raises:
        UnreadablePicture: too large, broken, or of an unsupported format.
    """
    if not content:
        raise UnreadablePicture("The file is empty; choose another.")
    if len(content) > MOST_BYTES:
        raise UnreadablePicture("The picture is larger than 10 MB; send a smaller one.")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            # MPO is a JPEG followed by a second picture, as some phones write it.
            most = MOST_PIXELS_OF_JPEG if picture.format in ("JPEG", "MPO") else MOST_PIXELS
            if picture.width * picture.height > most:
                raise _too_large(most)
            picture.draft("L", (MOST_SIDE, MOST_SIDE))
            small = _decoded(picture)
            small.thumbnail((MOST_SIDE, MOST_SIDE))
            # Last, because turning makes a copy.
            return np.asarray(ImageOps.exif_transpose(small))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(MOST_PIXELS) from error
    # Whatever Pillow raises on damaged files, and its warnings where Python turns them to errors.
    except (
        OSError, ValueError, TypeError, SyntaxError, RuntimeError, struct.error, Warning,
    ) as error:  # fmt: skip
        brand = content[8:12] if content[4:8] == b"ftyp" else b""
        if brand in AVIF_BRANDS | HEIC_BRANDS:
            kind = "AVIF" if brand in AVIF_BRANDS else "HEIC"
            raise UnreadablePicture(
                f"{kind} pictures cannot be read here: open it, save it as JPEG or PNG, or take a "
                "screenshot of it, and send that."
            ) from error
        raise UnreadablePicture(
            "The file is not a PNG, JPEG, WebP, AVIF, GIF, BMP or TIFF picture, or it is broken; "
            "try another."
        ) from error


def _too_large(most: int) -> UnreadablePicture:
    return UnreadablePicture(
        f"The picture has more than {most // 1_000_000} megapixels; send a smaller one."
    )


def _decoded(picture: Image.Image) -> Image.Image:
    """The picture as grey, or as RGBA if parts of it are transparent."""
    if picture.mode.startswith("I;16"):
        return _grey((np.asarray(picture) >> 8).astype(np.uint8), picture)
    if picture.mode in ("I", "F"):
        # 32 bits a pixel, with no convention for which value is white.
        step = -(-max(picture.size) // (2 * MOST_SIDE))
        values = np.asarray(picture)[::step, ::step].astype(np.float32)
        values = np.nan_to_num(values, posinf=0, neginf=0)
        spread = float(np.ptp(values))
        return _grey(to_bytes((values - values.min()) / (spread or 1)), picture)
    if picture.mode == "LAB":
        return picture.getchannel("L")
    mode = "RGBA" if picture.has_transparency_data else "L"
    return picture if picture.mode == mode else picture.convert(mode)


def _grey(values: np.ndarray, picture: Image.Image) -> Image.Image:
    """A grey picture of these pixels with the other's metadata, its orientation included."""
    grey = Image.fromarray(values)
    grey.info = picture.info
    return grey
