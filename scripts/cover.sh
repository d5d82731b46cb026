#!/bin/sh
# Prints the percentage of covered statements by package, from a cover profile whose
# blocks may repeat (-coverpkg writes one for each test binary).
# usage: scripts/cover.sh cover.out
set -eu

sort -u "$1" | awk '
	/^mode:/ { next }
	{
		# file.go:1.2,3.4 statements count
		block = $1
		size[block] = $2
		if ($3 > 0) hit[block] = 1
	}
	END {
		for (block in size) {
			pkg = block
			sub(/\/[^\/]*$/, "", pkg)
			total[pkg] += size[block]
			all += size[block]
			if (block in hit) { covered[pkg] += size[block]; sum += size[block] }
		}
		for (pkg in total) printf "%6.1f %%  %s\n", 100 * covered[pkg] / total[pkg], pkg | "sort -k3"
		close("sort -k3")
		if (all > 0) printf "%6.1f %%  all\n", 100 * sum / all
	}'
