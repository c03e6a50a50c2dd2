"""Picture files of many kinds, and what the app must say about each, wherever they come in."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

SIDE = 280
# x and y in a square with side 1.
SEVEN = [(0.2, 0.1), (0.75, 0.1), (0.45, 0.9)]
ONE = [(0.5, 0.1), (0.5, 0.9)]


def seven() -> Image.Image:
    """A dark 7 on white paper, grey."""
    return draw(Image.new("L", (SIDE, SIDE), 255), SEVEN)


def draw(
    sheet: Image.Image,
    points: list[tuple[float, float]],
    corner: tuple[float, float] = (50, 40),
    size: float = 180,
    pen: int = 16,
) -> Image.Image:
    """Add a stroke of a round pen to the sheet, and return it."""
    places = [(corner[0] + x * size, corner[1] + y * size) for x, y in points]
    pencil = ImageDraw.Draw(sheet)
    pencil.line(places, 0, pen, joint="curve")
    for x, y in places:
        pencil.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), 0)
    return sheet


def encode(picture: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    shown = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    shown.save(buffer, kind, **options)
    return buffer.getvalue()


def frames(kind: str) -> bytes:
    """A 7, and then a frame without one."""
    blank = Image.new("RGB", (SIDE, SIDE), "white")
    return encode(seven().convert("RGB"), kind, save_all=True, append_images=[blank])


def on_nothing() -> Image.Image:
    """A black 7 without paper: the palette's first colour is transparent."""
    picture = Image.new("P", (SIDE, SIDE), 0)
    picture.putpalette([255, 255, 255, 0, 0, 0] + [0] * 762)
    picture.paste(1, mask=seven().point(lambda value: 255 * (value < 128)))
    return picture


def edge_to_edge() -> np.ndarray:
    """A 1 as high as its picture: on paper it would be the edge of a table."""
    bar = np.full((60, 40), 255, np.uint8)
    bar[:, 17:23] = 0
    return bar


def in_the_shadow_of_a_hand() -> np.ndarray:
    """An empty sheet of paper."""
    down, across = np.mgrid[:480, :640]
    return (225 * (1 - 0.5 / (1 + np.exp(-(across + 0.5 * down - 400) / 4)))).astype(np.uint8)


def heif(brand: bytes) -> bytes:
    """The beginning of such a file, as a phone writes it."""
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(2000)


def tiff(values: np.ndarray) -> bytes:
    return encode(values, "TIFF")


DARK = 255 - np.asarray(seven())
READ: dict[str, Callable[[], bytes]] = {
    "PNG": lambda: encode(seven(), "PNG"),
    "JPEG": lambda: encode(seven(), "JPEG"),
    "JPEG with a second picture": lambda: frames("MPO"),
    "JPEG for print, CMYK": lambda: encode(seven().convert("CMYK"), "JPEG"),
    "WebP": lambda: encode(seven(), "WEBP"),
    "WebP, animated": lambda: frames("WEBP"),
    "BMP": lambda: encode(seven(), "BMP"),
    "GIF": lambda: encode(seven(), "GIF"),
    "GIF, animated": lambda: frames("GIF"),
    "GIF, transparent": lambda: encode(on_nothing(), "GIF", transparency=0),
    "TIFF": lambda: encode(seven(), "TIFF"),
    "TIFF of two pages": lambda: frames("TIFF"),
    "TIFF of 1 bit, as a fax": lambda: encode(seven().convert("1"), "TIFF", compression="group4"),
    "TIFF of 16 bits": lambda: tiff(np.asarray(seven()).astype(np.uint16) * 257),
    "TIFF of 32 bits": lambda: tiff(np.asarray(seven()).astype(np.int32) * 70_000),
    "TIFF of real numbers": lambda: tiff(np.asarray(seven(), np.float32) / 10 - 3),
    "TIFF for print, Lab": lambda: encode(seven().convert("RGB").convert("LAB"), "TIFF"),
    "PNG of 16 bits": lambda: encode(np.asarray(seven()).astype(np.uint16) * 257, "PNG"),
    "PNG, palette with transparency": lambda: encode(on_nothing(), "PNG", transparency=0),
    "PNG, white ink on nothing": lambda: encode(np.dstack([DARK * 0 + 255] * 3 + [DARK]), "PNG"),
    "PNG, animated": lambda: frames("PNG"),
}
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "The file is empty"),
    "text": (lambda: b"my homework " * 100, "not a PNG, JPEG, WebP, AVIF, GIF, BMP or TIFF"),
    "PDF": (lambda: b"%PDF-1.7\n" * 50, "not a PNG, JPEG, WebP, AVIF, GIF, BMP or TIFF"),
    "cut off": (lambda: encode(seven(), "PNG")[:300], "or it is broken; try another."),
    "HEIC": (lambda: heif(b"heic"), "HEIC pictures cannot be read here"),
    "HEIF": (lambda: heif(b"mif1"), "save it as JPEG or PNG"),
    "AVIF, broken": (lambda: heif(b"avif"), "save it as JPEG or PNG"),
    "too many pixels": (
        lambda: encode(Image.new("1", (8000, 8000), 1), "PNG"),
        "more than 20 megapixels",
    ),
    "absurdly many pixels": (
        lambda: encode(Image.new("1", (60_000, 4000), 1), "TIFF", compression="group4"),
        "more than 20 megapixels",
    ),
    "of one colour": (lambda: encode(Image.new("RGB", (90, 90), "red"), "PNG"), "no digit here"),
    "transparent": (lambda: encode(Image.new("RGBA", (90, 90)), "PNG"), "no digit here"),
    "one pixel": (lambda: encode(Image.new("L", (1, 1)), "GIF"), "no digit here"),
    "an empty sheet": (lambda: encode(in_the_shadow_of_a_hand(), "PNG"), "no digit here"),
    "a dot": (lambda: encode(draw(Image.new("L", (SIDE, SIDE), 255), [(0.5, 0.5)]), "PNG"),
              "no digit here"),
}  # fmt: skip


def many(count: int) -> bytes:
    """A PNG of this many alternating ones and sevens, twenty to a line."""
    lines = -(-count // 20)
    sheet = Image.new("L", (20 * 48, 60 * lines + 20), 255)
    for place in range(count):
        # Exactly below each other, ones would look like a ruled line.
        corner = (place % 20 * 48 + 2 + 5 * (place // 20 % 3), place // 20 * 60 + 10)
        draw(sheet, (ONE, SEVEN)[place % 2], corner, 40, 4)
    return encode(sheet, "PNG")
