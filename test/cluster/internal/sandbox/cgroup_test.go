package sandbox

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseHierarchies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, mountinfo string
		want            []hierarchy
	}{
		{
			name: "v2",
			mountinfo: "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" +
				"35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n",
			want: []hierarchy{{"/sys/fs/cgroup", "cgroup2", ""}},
		},
		{
			name: "hybrid",
			mountinfo: "30 22 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n" +
				"31 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
				"31 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
				"39 30 0:36 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd\n" +
				"40 30 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" +
				"41 22 0:28 / /mnt/elsewhere rw - cgroup cgroup rw,cpu,cpuacct\n",
			want: []hierarchy{
				{"/sys/fs/cgroup/cpu,cpuacct", "cgroup", "cpu,cpuacct"},
				{"/sys/fs/cgroup/systemd", "cgroup", "none,name=systemd"},
				{"/sys/fs/cgroup/unified", "cgroup2", ""},
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseHierarchies(test.mountinfo)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
	_, err := parseHierarchies("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
	require.Error(t, err)
}
