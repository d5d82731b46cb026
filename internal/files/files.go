package files

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
)

const (
	// Volume is the name of the volume of a pod that has files.
	Volume = "kontinue-files"
	// ScriptPath is where a script that does not fit in an argument is mounted.
	ScriptPath = "/kontinue/script"
	// MaxBytes is how long all contents together may be. A Secret may have 1 MiB, and a
	// request to etcd 1.5 MiB, which has to hold the Secret's metadata too.
	MaxBytes = 900 << 10
	// mode lets every user of the container read and run the files.
	mode = 0o555
)

// Mounted is how files get into a container.
type Mounted struct {
	// Data is that of the Secret.
	Data map[string][]byte
	// Volume shows the Secret, whose name is still to be set, and Mounts its files.
	Volume corev1.Volume
	Mounts []corev1.VolumeMount
}

// Mount returns the mounts of files, given as their contents by path, into a container
// that has the other volumes and mounts.
func Mount(contents map[string]string, volumes []corev1.Volume, mounts []corev1.VolumeMount) (Mounted, error) {
	if err := validate(contents, volumes, mounts); err != nil {
		return Mounted{}, err
	}
	m := Mounted{Data: map[string][]byte{}}
	source := &corev1.SecretVolumeSource{DefaultMode: new(int32(mode))}
	for _, p := range slices.Sorted(maps.Keys(contents)) {
		k := key(p, contents[p])
		m.Data[k] = []byte(contents[p])
		inside := strings.TrimPrefix(p, "/")
		source.Items = append(source.Items, corev1.KeyToPath{Key: k, Path: inside})
		m.Mounts = append(m.Mounts, corev1.VolumeMount{Name: Volume, MountPath: p, SubPath: inside, ReadOnly: true})
	}
	m.Volume = corev1.Volume{Name: Volume, VolumeSource: corev1.VolumeSource{Secret: source}}
	return m, nil
}

// Digests returns the digest of each file, by its path.
func Digests(contents map[string]string) map[string]string {
	if len(contents) == 0 {
		return nil
	}
	all := map[string]string{}
	for p, c := range contents {
		sum := sha256.Sum256([]byte(c))
		all[p] = hex.EncodeToString(sum[:])
	}
	return all
}

// key is the key of a file in the Secret.
func key(p, content string) string {
	sum := sha256.Sum256([]byte(p + "\x00" + content))
	return hex.EncodeToString(sum[:16])
}

func validate(contents map[string]string, volumes []corev1.Volume, mounts []corev1.VolumeMount) error {
	var errs []error
	size := 0
	for _, p := range slices.Sorted(maps.Keys(contents)) {
		size += len(contents[p])
		if problem := problemOf(p); problem != "" {
			errs = append(errs, fmt.Errorf("Files[%q]: %s", p, problem))
			continue
		}
		for folder := path.Dir(p); folder != "/"; folder = path.Dir(folder) {
			if _, ok := contents[folder]; ok {
				errs = append(errs, fmt.Errorf("Files[%q]: %q is a file and cannot be its folder", p, folder))
			}
		}
		for _, m := range mounts {
			switch at := path.Clean(m.MountPath); {
			case at == p:
				errs = append(errs, fmt.Errorf("Files[%q]: volume %q is mounted there", p, m.Name))
			case strings.HasPrefix(at, p+"/"):
				errs = append(errs, fmt.Errorf("Files[%q]: volume %q is mounted below it", p, m.Name))
			}
		}
	}
	for _, v := range volumes {
		if v.Name == Volume {
			errs = append(errs, fmt.Errorf("Volumes: the name %q is that of the volume of Files and of a long Command", Volume))
		}
	}
	if size > MaxBytes {
		errs = append(errs, fmt.Errorf("Files and a Command that does not fit in an argument have %d bytes, and at most %d fit in a Secret: put larger ones in the image or on a volume", size, MaxBytes))
	}
	return errors.Join(errs...)
}

// problemOf says why a path cannot be that of a file, or returns "".
func problemOf(p string) string {
	switch {
	case !path.IsAbs(p):
		return "the path is not absolute"
	case path.Clean(p) != p || p == "/":
		return "the path is not that of a file: write it without //, /./, /../ and a / at its end"
	case !utf8.ValidString(p) || strings.ContainsAny(p, "\x00:"):
		return "the path is not valid UTF-8, or has a colon or a NUL byte"
	case len(p) > maxPath:
		return fmt.Sprintf("the path is longer than %d bytes", maxPath)
	}
	for _, system := range []string{"/proc", "/dev", "/sys"} {
		if p == system || strings.HasPrefix(p, system+"/") {
			return system + " is the system's"
		}
	}
	for name := range strings.SplitSeq(p[1:], "/") {
		if strings.HasPrefix(name, "..") {
			return "a name begins with .., which volumes reserve"
		}
		if len(name) > maxName {
			return fmt.Sprintf("a name is longer than %d bytes", maxName)
		}
	}
	return ""
}

// What the kubelet's writer of volumes allows.
const (
	maxPath = 4096
	maxName = 255
)
