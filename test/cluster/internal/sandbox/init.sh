#!/bin/sh
# First process (pid 1) of a cluster's namespaces. It starts inside new pid, mount
# and network namespaces and sets up in them what the components expect from a
# machine. Nothing here is visible outside, and all of it disappears when this
# process dies.
#
#   init.sh join STATE CGROUP PAUSE    enter the cluster's cgroup, then
#   init.sh setup STATE CGROUP PAUSE   set up, print "ready", become PAUSE
#
# STATE/cgroups lists the cgroup hierarchies, one "mountpoint|type|options" per line.
set -eu
stage=$1 state=$2 cgroup=$3 pause=$4

if [ "$stage" = join ]; then
	while IFS='|' read -r mountpoint type options; do
		echo 0 >"$mountpoint/$cgroup/cgroup.procs"
	done <"$state/cgroups"
	# A cgroup namespace takes the current cgroup as its root, so it can only be
	# created now.
	exec unshare --cgroup /bin/sh "$0" setup "$state" "$cgroup" "$pause"
fi

mount --make-rprivate /
mount -t proc proc /proc
# Unmount the old /sys instead of covering it: components find cgroups in the mount
# table, which still lists covered mounts.
umount --recursive --lazy /sys
mount -t sysfs sysfs /sys

# New cgroup mounts show the cluster's cgroup as "/". The components cannot see
# anything above it, and two clusters share nothing.
grep -q '^/sys/fs/cgroup|' "$state/cgroups" || mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
while IFS='|' read -r mountpoint type options; do
	mkdir -p "$mountpoint"
	mount -t "$type" ${options:+-o "$options"} "$type" "$mountpoint"
	echo 0 >"$mountpoint/init/cgroup.procs"
	# cgroup v2: children have a controller only if their parent delegates it.
	if [ "$type" = cgroup2 ]; then
		for controller in $(cat "$mountpoint/cgroup.controllers"); do
			echo "+$controller" >"$mountpoint/cgroup.subtree_control" || true
		done
	fi
done <"$state/cgroups"
# "cpu,cpuacct" is one hierarchy, which programs also look for under each name.
for joined in /sys/fs/cgroup/*,*; do
	[ -d "$joined" ] || continue
	for name in $(basename "$joined" | tr , ' '); do
		ln -s "$(basename "$joined")" "/sys/fs/cgroup/$name"
	done
done

# The kubelet requires these kernel settings and writes them if they differ. Mount
# files with the right values over them, so that the machine's settings stay.
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

# Paths that are compiled into the components. Large ones are in the state
# directory, because a tmpfs would count as memory.
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount -t tmpfs -o mode=755 tmpfs /var/log
mkdir -p /run/netns /run/lock
for dir in containerd kubelet; do
	mkdir -p "/var/lib/$dir" "$state/$dir"
	mount --bind "$state/$dir" "/var/lib/$dir"
done

# A resolver that fails at once. With the machine's resolver, each pull of an unknown
# image would wait for the timeout of an unreachable server.
resolv=$(readlink -f /etc/resolv.conf)
echo 'nameserver 127.0.0.1' >"$state/resolv.conf"
mkdir -p "$(dirname "$resolv")"
[ -e "$resolv" ] || : >"$resolv"
mount --bind "$state/resolv.conf" "$resolv"

# Both ends of the pair stay in the namespace: there is no way out, but components
# that look for a default route find one.
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
