package files_test

import (
	"fmt"

	"github.com/kontinue/kontinue/internal/files"
)

// A file becomes a key of a Secret and a mount.
func Example() {
	m, err := files.Mount(map[string]string{"/etc/app/config.yaml": "debug: true\n"}, nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(m.Data), m.Mounts[0].MountPath, m.Mounts[0].SubPath)
	// Output: 1 /etc/app/config.yaml etc/app/config.yaml
}
