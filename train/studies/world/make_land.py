"""Make land.npz, the mask of land in cells of half a degree, from the 1:50m land of Natural Earth.

    pip install landcheck==0.1.1 && python -m train.studies.world.make_land

landcheck (MIT licence) ships these polygons (Natural Earth, public domain) as triangles of 7 km. A cell is land where
its centre is. Lakes are land, and so is the ice of the Antarctic.
"""

import landcheck  # type: ignore[import-not-found]
import numpy as np

from train.studies.world.land import FILE


def main() -> None:
    """Write the mask as bits [360, 90], rows from the north pole, columns from longitude -180."""
    check = landcheck.LandCheck()
    latitudes, longitudes = np.arange(89.75, -90, -0.5), np.arange(-179.75, 180, 0.5)
    mask = np.array([[check.is_land(float(lon), float(lat)) for lon in longitudes] for lat in latitudes])
    np.savez_compressed(FILE, bits=np.packbits(mask, axis=1))
    print(f"{FILE}: {mask.mean():.4f} of the cells are land")


if __name__ == "__main__":
    main()
