package containers

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlaces(t *testing.T) {
	t.Parallel()
	var p places
	require.Equal(t, "cat /work/x", p.replace("cat /work/x"))
	p.add("/work", "/tmp/pod/w")
	p.add("/work/deep/", "/tmp/pod/d")
	p.add("/tmp", "/tmp/pod/t")
	p.add("/etc/app.conf", "/tmp/pod/c/app.conf")
	for in, want := range map[string]string{
		"":                                 "",
		"/work":                            "/tmp/pod/w",
		"/work/":                           "/tmp/pod/w/",
		"cat /work/x /work/y":              "cat /tmp/pod/w/x /tmp/pod/w/y",
		"ls '/work'; ls \"/work/a b\"":     "ls '/tmp/pod/w'; ls \"/tmp/pod/w/a b\"",
		"x=/work:/tmp":                     "x=/tmp/pod/w:/tmp/pod/t",
		"--dir=/work,-I/work":              "--dir=/tmp/pod/w,-I/work",
		"echo >/work/x 2>/work/y;cd /tmp":  "echo >/tmp/pod/w/x 2>/tmp/pod/w/y;cd /tmp/pod/t",
		"(cd /work)":                       "(cd /tmp/pod/w)",
		"@/work/x":                         "@/tmp/pod/w/x",
		"/work/deep":                       "/tmp/pod/d",
		"/work/deep/x":                     "/tmp/pod/d/x",
		"/work/deeper":                     "/tmp/pod/w/deeper",
		"/etc/app.conf":                    "/tmp/pod/c/app.conf",
		"/etc/app.conf.bak /etc/app":       "/etc/app.conf.bak /etc/app",
		"/workshop /work-1 /work_2 /wörk":  "/workshop /work-1 /work_2 /wörk",
		"/my/work ./work ~/work a/work":    "/my/work ./work ~/work a/work",
		"$HOME/work ${X}/work $(pwd)/work": "$HOME/work ${X}/work $(pwd)/work",
		"https://host/work":                "https://host/work",
		"/work*":                           "/tmp/pod/w*",
		"/work$X":                          "/tmp/pod/w$X",
		"\n/work\n":                        "\n/tmp/pod/w\n",
	} {
		require.Equal(t, want, p.replace(in), in)
	}
	dir, ok := p.dir("/work/deep/er")
	require.True(t, ok)
	require.Equal(t, "/tmp/pod/d/er", dir)
	for _, outside := range []string{"", "/", "/workshop", "/etc", "work"} {
		_, ok := p.dir(outside)
		require.False(t, ok, outside)
	}
}
