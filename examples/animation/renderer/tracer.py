"""A small ray tracer: balls that hop over a chequered floor, one light, shadows and mirrors. Nothing but Python."""

import math

Vector = tuple[float, float, float]
Ball = tuple[float, float, float, float, float, float, float, float]  # x y z radius shine red green blue

FAR = 1e9
BOUNCES = 2
EPSILON = 1e-4


def frame(scene: dict, number: int) -> bytes:
    """The pixels of frame `number`, counted from 1: rows from the top, three bytes each, red green blue."""
    moment = (number - 1) / scene["frames"]
    return _pixels(scene, _balls(scene, moment), *_camera(scene, moment))


def _balls(scene: dict, moment: float) -> list[Ball]:
    """Where the balls are at a moment of the loop, 0 to 1."""
    found = []
    for ball in scene["balls"]:
        angle = 2 * math.pi * (moment + ball["phase"])
        height = ball["radius"] + ball["jump"] * abs(math.sin(math.pi * ball["hops"] * (moment + ball["phase"])))
        x, z = ball["orbit"] * math.cos(angle), ball["orbit"] * math.sin(angle)
        found.append((x, height, z, ball["radius"], ball["shine"], *ball["colour"]))
    return found


def _camera(scene: dict, moment: float) -> tuple[Vector, Vector, Vector, Vector]:
    """Eye, and the directions of its sight, its right and its up."""
    camera = scene["camera"]
    angle = 2 * math.pi * camera["turns"] * moment - math.pi / 2
    eye = (camera["distance"] * math.cos(angle), camera["height"], camera["distance"] * math.sin(angle))
    ahead = _unit((-eye[0], 0.9 - eye[1], -eye[2]))
    right = _unit((-ahead[2], 0.0, ahead[0]))
    up = (
        right[1] * ahead[2] - right[2] * ahead[1],
        right[2] * ahead[0] - right[0] * ahead[2],
        right[0] * ahead[1] - right[1] * ahead[0],
    )
    return eye, ahead, right, up


def _pixels(scene: dict, balls: list[Ball], eye: Vector, ahead: Vector, right: Vector, up: Vector) -> bytes:
    width, height, zoom = scene["width"], scene["height"], scene["camera"]["zoom"]
    light, sky, floor = scene["light"], scene["sky"], scene["floor"]
    out = bytearray()
    for row in range(height):
        v = (1 - 2 * (row + 0.5) / height) * height / width / zoom
        for column in range(width):
            u = (2 * (column + 0.5) / width - 1) / zoom
            ray = _unit(
                (
                    ahead[0] + u * right[0] + v * up[0],
                    ahead[1] + u * right[1] + v * up[1],
                    ahead[2] + u * right[2] + v * up[2],
                )
            )
            colour = _trace(eye, ray, balls, light, sky, floor, BOUNCES)
            out += bytes(min(255, int(255.99 * math.sqrt(max(0.0, part)))) for part in colour)
    return bytes(out)


def _trace(origin: Vector, ray: Vector, balls: list[Ball], light: Vector, sky: list, floor: list, left: int) -> Vector:
    """The light that comes back along a ray; `left` mirrors may still be looked into."""
    distance, ball = _hit(origin, ray, balls)
    if ball is None and ray[1] < -EPSILON:
        distance = -origin[1] / ray[1]
    elif ball is None:
        return _mix(sky[0], sky[1], min(1.0, 1.3 * ray[1]))
    point = (
        origin[0] + distance * ray[0],
        origin[1] + distance * ray[1],
        origin[2] + distance * ray[2],
    )
    if ball is None:
        tile = (math.floor(point[0]) + math.floor(point[2])) & 1
        normal, shine = (0.0, 1.0, 0.0), 0.12
        haze = min(1.0, distance / 40)
        colour = _mix(floor[tile], sky[0], haze)
    else:
        x, y, z, radius, shine = ball[:5]
        normal = ((point[0] - x) / radius, (point[1] - y) / radius, (point[2] - z) / radius)
        colour = ball[5:]
    start = (point[0] + EPSILON * normal[0], point[1] + EPSILON * normal[1], point[2] + EPSILON * normal[2])
    brightness, glint = _light(start, ray, normal, balls, light)
    seen = (colour[0] * brightness + glint, colour[1] * brightness + glint, colour[2] * brightness + glint)
    if not left:
        return seen
    twice = 2 * (ray[0] * normal[0] + ray[1] * normal[1] + ray[2] * normal[2])
    mirrored = (ray[0] - twice * normal[0], ray[1] - twice * normal[1], ray[2] - twice * normal[2])
    return _mix(seen, _trace(start, mirrored, balls, light, sky, floor, left - 1), shine)


def _hit(origin: Vector, ray: Vector, balls: list[Ball]) -> tuple[float, Ball | None]:
    """The nearest ball before the floor, and how far it is."""
    nearest = -origin[1] / ray[1] if ray[1] < -EPSILON else FAR
    found = None
    ox, oy, oz = origin
    dx, dy, dz = ray
    for ball in balls:
        x, y, z = ball[0] - ox, ball[1] - oy, ball[2] - oz
        along = x * dx + y * dy + z * dz
        if along <= 0:
            continue
        inside = ball[3] * ball[3] - (x * x + y * y + z * z - along * along)
        if inside <= 0:
            continue
        distance = along - math.sqrt(inside)
        if EPSILON < distance < nearest:
            nearest, found = distance, ball
    return nearest, found


def _light(point: Vector, ray: Vector, normal: Vector, balls: list[Ball], light: Vector) -> tuple[float, float]:
    """How bright a point is, and the glint of the lamp that the viewer sees in it."""
    to_lamp = _unit((light[0] - point[0], light[1] - point[1], light[2] - point[2]))
    facing = to_lamp[0] * normal[0] + to_lamp[1] * normal[1] + to_lamp[2] * normal[2]
    if facing <= 0 or _hit(point, to_lamp, balls)[1] is not None:
        return 0.22, 0.0
    half = _unit((to_lamp[0] - ray[0], to_lamp[1] - ray[1], to_lamp[2] - ray[2]))
    gloss = max(0.0, half[0] * normal[0] + half[1] * normal[1] + half[2] * normal[2])
    return 0.22 + 0.78 * facing, 0.6 * gloss**60


def _mix(one: Vector, other: Vector, share: float) -> Vector:
    """One colour with a share of the other, 0 to 1."""
    rest = 1 - share
    return (one[0] * rest + other[0] * share, one[1] * rest + other[1] * share, one[2] * rest + other[2] * share)


def _unit(vector: Vector) -> Vector:
    length = math.sqrt(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2])
    return vector[0] / length, vector[1] / length, vector[2] / length
