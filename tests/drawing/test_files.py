import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from mnist_core import drawing
from mnist_core.drawing import files, read_picture, to_mnist
from mnist_core.errors import UnreadablePicture
from tests.helpers import corruptions
from tests.pictures import encode, heif, seven

UPRIGHT = np.asarray(seven())
SEVEN = to_mnist(UPRIGHT)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference of the pixels, in grey levels."""
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparency_is_kept(kind):
    drawing_on_nothing = np.dstack([np.full((280, 280, 3), 255, np.uint8), 255 - UPRIGHT])
    decoded = read_picture(encode(drawing_on_nothing, kind))
    assert decoded.shape == (280, 280, 4)
    assert difference(to_mnist(decoded), SEVEN) < 4


def test_a_png_of_sixteen_bits_keeps_its_shades(sample):
    image = sample.x_test[0]
    decoded = read_picture(encode(image.astype(np.uint16) * 257, "PNG"))
    assert difference(decoded, image) <= 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG of 16 bits", "TIFF", "WEBP"])
@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 1), (8, 3)])
def test_a_photograph_is_turned_the_way_its_camera_was_held(kind, orientation, turns):
    exif = Image.Exif()
    exif[0x0112] = orientation
    on_its_side = np.ascontiguousarray(np.rot90(UPRIGHT, turns))
    if kind == "PNG of 16 bits":
        content = encode(on_its_side.astype(np.uint16) * 257, "PNG", exif=exif)
    else:
        content = encode(on_its_side, kind, exif=exif)
    assert difference(to_mnist(read_picture(content)), SEVEN) < 3


def refused(content: bytes) -> str:
    with pytest.raises(UnreadablePicture) as caught:
        read_picture(content)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF"])
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_picture_is_read_or_refused_and_never_anything_else(kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encode(UPRIGHT, kind, exif=exif.tobytes())
    broken = 0
    for changed in corruptions(content, 150):
        try:
            read_picture(changed)
        except UnreadablePicture:
            broken += 1
    assert broken > 10


def test_a_file_of_more_than_ten_megabytes_is_refused_unread():
    assert "larger than 10 MB" in refused(b"\x89PNG" + bytes(drawing.MOST_BYTES))


def test_a_small_file_of_too_many_pixels_is_refused_undecoded():
    # Some 5 kB that would take 64 MB once decoded.
    content = encode(np.zeros((8000, 8000), np.uint8), "PNG", compress_level=9)
    assert len(content) < 200_000
    assert "more than 20 megapixels" in refused(content)


@pytest.mark.parametrize(("kind", "height"), [("JPEG", 8000), ("WEBP", 2600)])
def test_so_are_other_kinds_of_pictures(kind, height):
    assert "megapixels" in refused(encode(np.zeros((height, 8000), np.uint8), kind))


def test_a_large_jpeg_is_shrunk_while_it_is_decoded():
    content = encode(np.full((6000, 8000), 255, np.uint8), "JPEG")
    tracemalloc.start()
    decoded = read_picture(content)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert max(decoded.shape) == drawing.MOST_SIDE
    assert most < 20_000_000


def test_a_picture_that_claims_absurdly_many_pixels_is_refused():
    content = bytearray(encode(UPRIGHT, "PNG"))
    content[16:24] = b"\x00\x01\x00\x00" * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    assert "more than 20 megapixels" in refused(bytes(content))


@pytest.mark.parametrize("brand", [b"avif", b"avis"])
def test_where_avif_is_not_supported_the_message_says_how_to_convert_it(brand, monkeypatch):
    monkeypatch.setattr(files, "FORMATS", ("PNG", "JPEG"))
    assert refused(heif(brand)).startswith(
        "AVIF pictures cannot be read here: open it, save it as JPEG"
    )
