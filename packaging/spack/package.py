# Spack recipe of polyrank. In a repository of your own: packages/polyrank/package.py; then `spack install polyrank`.
# The version is the tarball of `make dist`: set url and checksum to where yours lies, or build from git with @main.
from spack.package import *


class Polyrank(MakefilePackage):
    """Distributed emulator of heterogeneous AI machines: each MPI rank emulates a GPU, a processing-in-memory device or a
    systolic array, does the real arithmetic and keeps virtual time, energy and wear."""

    homepage = "https://example.org/polyrank"
    url = "file:///opt/src/polyrank-0.1.0.tar.gz"
    git = "file:///opt/src/polyrank"

    license("Apache-2.0")

    version("main", branch="main")
    version("0.1.0")

    depends_on("c", type="build")
    depends_on("gmake", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi")
    depends_on("hdf5@1.10: +mpi+hl")
    depends_on("zlib-api")
    depends_on("libyaml")
    depends_on("libcyaml@1.1:")
    depends_on("jansson@2.13:")
    depends_on("openblas threads=none")
    depends_on("check", type="test")
    depends_on("gnuplot", type="run")

    # Debian calls parallel HDF5 hdf5-openmpi; elsewhere it is hdf5, and the wrapper of the MPI at hand compiles.
    @property
    def make_arguments(self):
        return [
            f"MPICC={self.spec['mpi'].mpicc}",
            f"PREFIX={self.prefix}",
            f"BLAS_PKG_PATH={self.spec['openblas'].prefix.lib.pkgconfig}",
            "HDF5_PACKAGE=hdf5",
            "HDF5_HL=-lhdf5_hl",
        ]

    @property
    def build_targets(self):
        return self.make_arguments + ["all"]

    @property
    def install_targets(self):
        return self.make_arguments + ["install"]

    def check(self):
        make(*self.make_arguments, "check-unit")

    def test_plan(self):
        """predict a step of an installed job"""
        polyrank = which(self.prefix.bin.polyrank)
        out = polyrank("plan", join_path(self.prefix.share.polyrank, "jobs", "swe-published.yaml"), output=str)
        assert "one training step" in out
