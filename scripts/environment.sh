# Sourced by the other scripts: settings of the maths libraries that a program cannot change once it
# has started. Values that are already set stay.

# Idle OpenMP threads sleep. By default they spin, and where two programs share the cores, as tests
# do, small decompositions then take up to a hundred times as long.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"

# OpenBLAS takes a processor that is newer than itself for a very old one, at a quarter of the speed.
if [[ -z ${OPENBLAS_CORETYPE:-} && -r /proc/cpuinfo ]]; then
  cpu_flags="$(grep -m 1 '^flags' /proc/cpuinfo || true)"
  if [[ " $cpu_flags " == *" avx512vl "* ]]; then
    export OPENBLAS_CORETYPE=SkylakeX
  elif [[ " $cpu_flags " == *" avx2 "* ]]; then
    export OPENBLAS_CORETYPE=Haswell
  fi
  unset cpu_flags
fi
