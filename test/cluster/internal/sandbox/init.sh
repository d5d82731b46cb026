#!/bin/sh
# First process (pid 1) of a cluster's namespaces. It runs already inside new
# pid, mount and network namespaces and builds everything in them that the
# components expect from a machine of their own. Nothing here is visible
# outside, and all of it goes when this process dies.
#
#   init.sh join STATE CGROUP PAUSE    enter the cluster's cgroup, then
#   init.sh setup STATE CGROUP PAUSE   set up, say "ready", become PAUSE
#
# STATE/cgroups lists the cgroup hierarchies: "mountpoint|type|options" a line.
set -eu
stage=$1 state=$2 cgroup=$3 pause=$4

if [ "$stage" = join ]; then
	while IFS='|' read -r mountpoint type options; do
		echo 0 >"$mountpoint/$cgroup/cgroup.procs"
	done <"$state/cgroups"
	# The cgroup namespace takes the present cgroup as its root, which is why
	# it can only be made now.
	exec unshare --cgroup /bin/sh "$0" setup "$state" "$cgroup" "$pause"
fi

mount --make-rprivate /
mount -t proc proc /proc
# The old /sys goes, not only out of sight: components find cgroups by reading
# the mount table, where covered mounts are still listed.
umount --recursive --lazy /sys
mount -t sysfs sysfs /sys

# Fresh cgroup mounts show the cluster's cgroup as "/": the components cannot
# see, and two clusters cannot share, anything above it.
grep -q '^/sys/fs/cgroup|' "$state/cgroups" || mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
while IFS='|' read -r mountpoint type options; do
	mkdir -p "$mountpoint"
	mount -t "$type" ${options:+-o "$options"} "$type" "$mountpoint"
	echo 0 >"$mountpoint/init/cgroup.procs"
	# cgroup v2: children get a controller only if their parent passes it on.
	if [ "$type" = cgroup2 ]; then
		for controller in $(cat "$mountpoint/cgroup.controllers"); do
			echo "+$controller" >"$mountpoint/cgroup.subtree_control" || true
		done
	fi
done <"$state/cgroups"
# "cpu,cpuacct" is one hierarchy that programs also look for under each name.
for joined in /sys/fs/cgroup/*,*; do
	[ -d "$joined" ] || continue
	for name in $(basename "$joined" | tr , ' '); do
		ln -s "$(basename "$joined")" "/sys/fs/cgroup/$name"
	done
done

# The kubelet insists on these kernel settings and writes them when they
# differ. It is shown files that already agree, so the machine keeps its own.
mkdir -p "$state/sysctl"
while read -r name value; do
	[ -e "/proc/sys/$name" ] || continue
	file="$state/sysctl/$(echo "$name" | tr / .)"
	echo "$value" >"$file"
	mount --bind "$file" "/proc/sys/$name"
done <<SYSCTL
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
SYSCTL

# Paths the components have compiled in. Bulky ones are kept in the state
# directory, because a tmpfs would count as memory.
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount -t tmpfs -o mode=755 tmpfs /var/log
mkdir -p /run/netns /run/lock
for dir in containerd kubelet; do
	mkdir -p "/var/lib/$dir" "$state/$dir"
	mount --bind "$state/$dir" "/var/lib/$dir"
done

# A resolver that refuses at once: with the machine's own, each pull of an
# unknown image would wait for the time-out of a server out of reach.
resolv=$(readlink -f /etc/resolv.conf)
echo 'nameserver 127.0.0.1' >"$state/resolv.conf"
mkdir -p "$(dirname "$resolv")"
[ -e "$resolv" ] || : >"$resolv"
mount --bind "$state/resolv.conf" "$resolv"

# Both ends of the pair stay in here: there is no way out, and components that
# look for a default route find one.
ip link set lo up
ip link add node0 type veth peer name node1
ip link set node1 up
ip link set node0 up
while read -r address; do
	ip address add "$address" dev node0
done <"$state/addresses"
ip route add default dev node0
echo 1 >/proc/sys/net/ipv4/ip_forward

echo ready
exec "$pause" >/dev/null
