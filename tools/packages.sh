# Sourced by tools/test, tools/demo and tools/experiments: sees what is missing and installs it, by Debian's package names.
# Below it is what the last two have in common: where things are, data, building.

has_header() { echo "#include <$1>" | g++ -E -x c++ - -o /dev/null; }

# Debian's modules are seen by Debian's python3, which need not be the first in PATH.
python_with_matplotlib() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -c 'import matplotlib' 2>/dev/null; then echo "$python" && return; fi
  done
  return 1
}

# is_present PACKAGE: whether what the package brings is there, wherever it came from.
is_present() {
  case $1 in
    catch2) has_header catch2/catch_test_macros.hpp || has_header catch2/catch.hpp ;;
    clang) command -v clang++ ;;
    gnuplot-nox) command -v gnuplot ;;
    libclang-rt-dev) echo 'int main() {}' | clang++ -fsanitize=address -x c++ - -o /dev/null ;;
    libbenchmark-dev) has_header benchmark/benchmark.h ;;
    ninja-build) command -v ninja ;;
    python3-matplotlib) python_with_matplotlib ;;
    zlib1g-dev) has_header zlib.h ;;
    *) command -v "$1" ;;
  esac >/dev/null 2>&1
}

# install_missing PACKAGE...: installs those that are not there; says in one sentence when it cannot, and fails.
install_missing() {
  local package missing=() as_root=()
  for package in "$@"; do is_present "$package" || missing+=("$package"); done
  ((${#missing[@]})) || return 0
  if ! command -v apt-get >/dev/null; then
    echo "error: missing here: ${missing[*]} (Debian's names); there is no apt-get, so install them by hand" >&2
    return 1
  fi
  if (($(id -u) != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "error: missing here: ${missing[*]}; not root and there is no sudo, so run: apt-get install ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
    [ -t 0 ] || as_root+=(-n)  # nobody is there to type a password
  fi
  echo "Installing ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
  local install=("${apt[@]}" install -y --no-install-recommends "${missing[@]}")
  local log
  log=$(mktemp)
  if ! "${install[@]}" >"$log" 2>&1 && ! { "${apt[@]}" update && "${install[@]}"; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    rm "$log"
    echo "error: apt-get could not install ${missing[*]}: see its words above" >&2
    return 1
  fi
  rm "$log"
  for package in "${missing[@]}"; do
    is_present "$package" && continue
    echo "error: $package was installed, but what it brings is still not found" >&2
    return 1
  done
}

# in_project PATH: where that file of the project is, seen from the current folder where it is below.
in_project() { realpath -ms --relative-base="$PWD" "$(dirname "${BASH_SOURCE[0]}")/../$1"; }

# data_kind FOLDER: what the examples find there: images, optdigits or housing. Says what is wrong and fails with 3, as
# they would, but before anything is compiled.
data_kind() {
  if [ -r "$1/train-images-idx3-ubyte" ] || [ -r "$1/train-images-idx3-ubyte.gz" ]; then
    echo images
  elif [ -r "$1/optdigits.tra" ]; then
    echo optdigits
  elif [ -r "$1/housing.csv" ]; then
    echo housing
  else
    local why="there is no such folder"
    [ ! -d "$1" ] || why="it holds no files of Fashion-MNIST, MNIST, optdigits or California housing"
    echo "error: --data $1: $why: tools/fetch_data --help says where to get them, and checks them" >&2
    return 3
  fi
}

# build_examples FOLDER TARGET...: configures the project there and builds these programs, quick ones, without nvcc.
build_examples() {
  local folder=$1
  shift
  mkdir -p "$folder"
  cmake -S "$(in_project .)" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release -DMINITRAIN_BUILD_TESTS=OFF \
    -DMINITRAIN_BUILD_BENCHMARKS=OFF -DMINITRAIN_CUDA=OFF >"$folder/configure.log" || { cat "$folder/configure.log" && return 1; }
  cmake --build "$folder" --parallel --target "$@"
}
