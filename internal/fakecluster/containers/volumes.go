//go:build unix

package containers

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// podVolumes are the volumes of a pod: directories below one of its own, and those of
// PersistentVolumeClaims. All containers of the pod share them.
type podVolumes struct {
	root  string
	dirs  map[string]string   // by the volume's name
	files map[string][]string // the names of those that Mount has written, by the volume's name
}

// Mount implements Runtime. An emptyDir is a directory of the pod, and so is a volume of
// Secrets, ConfigMaps and fields of the pod, whose files are replaced when they change. A
// PersistentVolumeClaim is a directory that lasts until Close. They can be written also if
// they are mounted with readOnly, and have no limit of size.
//
// A hostPath is refused: the manifest means a node and would act on the files of this
// machine. Service account tokens and other types of volumes do not exist.
func (p *Processes) Mount(pod *corev1.Pod, volumes []Volume) error {
	mounted, err := p.volumesOf(pod)
	if err != nil {
		return err
	}
	for i, v := range volumes {
		if err := p.mount(mounted, &pod.Spec.Volumes[i], v); err != nil {
			return fmt.Errorf("MountVolume.SetUp failed for volume %q : %w", v.Name, err)
		}
	}
	return nil
}

// volumesOf returns the volumes of the pod, and creates its directory at the first call.
func (p *Processes) volumesOf(pod *corev1.Pod) (*podVolumes, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if mounted := p.pods[pod.UID]; mounted != nil {
		return mounted, nil
	}
	root, err := os.MkdirTemp(p.dir, "kontinue-pod-")
	if err != nil {
		return nil, fmt.Errorf("creating the directory of the pod's volumes: %w", err)
	}
	mounted := &podVolumes{root: root, dirs: map[string]string{}, files: map[string][]string{}}
	p.pods[pod.UID] = mounted
	return mounted, nil
}

func (p *Processes) mount(mounted *podVolumes, source *corev1.Volume, v Volume) error {
	dir := filepath.Join(mounted.root, v.Name)
	switch {
	case v.Claim != "":
		claim, err := p.claim(v.Claim)
		if err != nil {
			return err
		}
		dir = claim
	case source.EmptyDir != nil, source.Secret != nil, source.ConfigMap != nil, source.DownwardAPI != nil:
	case source.Projected != nil:
		for _, s := range source.Projected.Sources {
			if s.Secret == nil && s.ConfigMap == nil && s.DownwardAPI == nil {
				return fmt.Errorf("a cluster whose containers are local processes projects only Secrets, ConfigMaps and fields of the pod")
			}
		}
	case source.HostPath != nil:
		return fmt.Errorf("a hostPath is refused where containers are local processes: %s would be that of this machine", source.HostPath.Path)
	default:
		return fmt.Errorf("a cluster whose containers are local processes has no volumes of this type: use an emptyDir, a ConfigMap, a Secret, a downwardAPI or a persistentVolumeClaim")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := writeFiles(dir, mounted.files[v.Name], v.Files); err != nil {
		return err
	}
	mounted.dirs[v.Name], mounted.files[v.Name] = dir, slices.Collect(maps.Keys(v.Files))
	return nil
}

// claim returns the directory of a PersistentVolumeClaim.
func (p *Processes) claim(uid types.UID) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if dir, ok := p.claims[uid]; ok {
		return dir, nil
	}
	dir, err := os.MkdirTemp(p.dir, "kontinue-claim-")
	if err == nil {
		p.claims[uid] = dir
	}
	return dir, err
}

// writeFiles replaces the files old of a volume by files. A reader sees a file either as
// it was or as it is.
func writeFiles(dir string, old []string, files map[string]File) error {
	for name, file := range files {
		path := inside(dir, name)
		if have, err := os.ReadFile(path); err == nil && string(have) == file.Data {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		// The kubelet's own files in such a volume begin with two dots, too.
		fresh := filepath.Join(filepath.Dir(path), "..new")
		if err := os.WriteFile(fresh, []byte(file.Data), 0o600); err != nil {
			return err
		}
		if err := os.Chmod(fresh, fs.FileMode(file.Mode).Perm()); err != nil {
			return err
		}
		if err := os.Rename(fresh, path); err != nil {
			return err
		}
	}
	for _, name := range old {
		if _, kept := files[name]; kept {
			continue
		}
		if err := os.Remove(inside(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// inside returns the path of a file in a directory, which it does not leave.
func inside(dir, name string) string { return filepath.Join(dir, filepath.Join("/", name)) }

// mounts returns where the volumes of a container are.
func (v *podVolumes) mounts(c *corev1.Container, lookup func(string) (string, bool)) (places, error) {
	var where places
	for _, m := range c.VolumeMounts {
		var dir string
		if v != nil {
			dir = v.dirs[m.Name]
		}
		switch {
		case dir == "":
			return nil, fmt.Errorf("volume %q is not mounted", m.Name)
		case filepath.Clean(m.MountPath) == "/":
			return nil, fmt.Errorf("volume %q is mounted at /, which a local process cannot have as a directory of its own: choose another mountPath", m.Name)
		}
		sub := m.SubPath
		if m.SubPathExpr != "" {
			sub = Expand(m.SubPathExpr, lookup)
		}
		if sub != "" {
			dir = inside(dir, sub)
			if _, err := os.Stat(dir); os.IsNotExist(err) {
				if err := os.MkdirAll(dir, 0o700); err != nil {
					return nil, fmt.Errorf("creating the subPath %q of volume %q: %w", sub, m.Name, err)
				}
			}
		}
		where.add(m.MountPath, dir)
	}
	return where, nil
}

// remove removes the directories of the pod.
func (v *podVolumes) remove() {
	// What cannot be removed stays in the temporary directory.
	_ = os.RemoveAll(v.root)
}

// Forget implements Runtime. It removes the pod's volumes, which may take long if they
// hold much.
func (p *Processes) Forget(pod types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if mounted := p.pods[pod]; mounted != nil && !p.closed {
		delete(p.pods, pod)
		p.wg.Go(mounted.remove)
	}
}
