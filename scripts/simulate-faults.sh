#!/usr/bin/env bash
# Puts each fault of internal/simtest/simulate/testdata/faults back into a copy of the
# tree, and runs seeds until one of them finds it. Prints a table for docs/simulation.md.
#
#   scripts/simulate-faults.sh [seeds at most] [fault...]
set -euo pipefail
cd "$(dirname "$0")/.."

limit=${1:-2000}
shift || true
slice=50
faults=("$@")
if [ ${#faults[@]} -eq 0 ]; then
	for f in internal/simtest/simulate/testdata/faults/*.patch; do
		faults+=("$(basename "$f" .patch)")
	done
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$scratch"

missed=0
echo '| fault | found by seed | invariant |'
echo '|---|---:|---|'
for fault in "${faults[@]}"; do
	patch=$PWD/internal/simtest/simulate/testdata/faults/$fault.patch
	patch -s -p1 -d "$scratch" <"$patch"
	(cd "$scratch" && "${GO:-go}" test -c -o simulate.test ./internal/simtest/simulate)
	found=
	for ((first = 1; first <= limit && ${#found} == 0; first += slice)); do
		found=$(cd "$scratch/internal/simtest/simulate" &&
			FIRST=$first SEEDS=$slice "$scratch/simulate.test" -test.run '^TestSeeds$' -test.timeout 30m 2>&1 |
			sed -n 's/.*seed \([0-9]*\): \(I[0-9]\): .*/\1 \2/p' | sort -n | head -1 || true)
	done
	if [ -z "$found" ]; then
		missed=1
		found="- not_found_in_$limit"
	fi
	echo "| $fault | ${found% *} | ${found#* } |"
	patch -s -R -p1 -d "$scratch" <"$patch"
done
exit $missed
