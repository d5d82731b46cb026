package files_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/files"
)

// TestMount freezes keys and paths: a worker of a later version adopts the pods of this one.
func TestMount(t *testing.T) {
	t.Parallel()
	m, err := files.Mount(map[string]string{"/etc/app/b.conf": "b\x00\xff", "/a": ""}, nil, nil)
	require.NoError(t, err)
	const keyA, keyB = "d24a5d125d6c74b235cf8b08600680cc", "e9d36e0978f76fb74fbb6d69320bf89d"
	require.Equal(t, map[string][]byte{keyA: {}, keyB: []byte("b\x00\xff")}, m.Data)
	require.Equal(t, corev1.Volume{Name: "kontinue-files", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
		DefaultMode: new(int32(0o555)),
		Items:       []corev1.KeyToPath{{Key: keyA, Path: "a"}, {Key: keyB, Path: "etc/app/b.conf"}},
	}}}, m.Volume)
	require.Equal(t, []corev1.VolumeMount{
		{Name: "kontinue-files", MountPath: "/a", SubPath: "a", ReadOnly: true},
		{Name: "kontinue-files", MountPath: "/etc/app/b.conf", SubPath: "etc/app/b.conf", ReadOnly: true},
	}, m.Mounts)
}

// TestKeysDependOnPathAndContents, so that no pod is started with other contents.
func TestKeysDependOnPathAndContents(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range []map[string]string{{"/a": "x"}, {"/a": "y"}, {"/b": "x"}, {"/ax": ""}} {
		m, err := files.Mount(f, nil, nil)
		require.NoError(t, err)
		for k := range m.Data {
			require.False(t, seen[k])
			seen[k] = true
		}
	}
}

func TestDigestsTellBytesApart(t *testing.T) {
	t.Parallel()
	require.Nil(t, files.Digests(nil))
	require.NotEqual(t, files.Digests(map[string]string{"/a": "\xff"}), files.Digests(map[string]string{"/a": "\xfe"}))
}

func TestMountRefuses(t *testing.T) {
	t.Parallel()
	volume := []corev1.VolumeMount{{Name: "v", MountPath: "/data/"}}
	for name, tc := range map[string]struct {
		path, want string
	}{
		"relative":         {"etc/x", "not absolute"},
		"empty":            {"", "not absolute"},
		"root":             {"/", "not that of a file"},
		"folder":           {"/etc/", "not that of a file"},
		"double slash":     {"/etc//x", "not that of a file"},
		"dots":             {"/etc/../x", "not that of a file"},
		"reserved":         {"/etc/..data", "begins with .."},
		"colon":            {"/a:b", "colon"},
		"NUL":              {"/a\x00", "NUL"},
		"not UTF-8":        {"/\xff", "UTF-8"},
		"proc":             {"/proc/self", "/proc is the system's"},
		"dev":              {"/dev", "/dev is the system's"},
		"sys":              {"/sys/x", "/sys is the system's"},
		"long path":        {strings.Repeat("/x", 2049), "longer than 4096"},
		"long name":        {"/" + strings.Repeat("x", 256), "longer than 255"},
		"mounted there":    {"/data", `volume "v" is mounted there`},
		"folder of a file": {"/ok/below", `"/ok" is a file`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := files.Mount(map[string]string{"/ok": "", tc.path: "s3cret"}, nil, volume)
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "s3cret")
		})
	}
	_, err := files.Mount(map[string]string{"/proca": "", "/device": "", "/data/x": ""}, nil, volume)
	require.NoError(t, err)
	_, err = files.Mount(map[string]string{"/data": ""}, nil, []corev1.VolumeMount{{Name: "v", MountPath: "/data/sub"}})
	require.ErrorContains(t, err, "is mounted below it")
	_, err = files.Mount(map[string]string{"/a": ""}, []corev1.Volume{{Name: files.Volume}}, nil)
	require.ErrorContains(t, err, files.Volume)
}

func TestMountLimit(t *testing.T) {
	t.Parallel()
	half := strings.Repeat("x", files.MaxBytes/2)
	_, err := files.Mount(map[string]string{"/a": half, "/b": half}, nil, nil)
	require.NoError(t, err)
	_, err = files.Mount(map[string]string{"/a": half, "/b": half + "y"}, nil, nil)
	require.ErrorContains(t, err, "921601 bytes")
}
