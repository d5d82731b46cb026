package scenarios

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// volumes returns scenarios of pods with volumes.
func volumes() []*Scenario {
	shared := withVolumes(with(container("main", "cat /work/file; cd /other && cat file"), mounts("work", "/other")), map[string]corev1.VolumeSource{"work": emptyDir()})
	shared.Spec.InitContainers = []corev1.Container{with(container("setup", "echo from setup > /work/file"), mounts("work", "/work"))}
	workdir := withVolumes(with(container("main", "cat file; cat $FILE; echo done > /dev/termination-log"), func(c *corev1.Container) {
		c.WorkingDir = "/settings"
		c.Env = []corev1.EnvVar{{Name: "FILE", Value: "/settings/file"}}
	}), map[string]corev1.VolumeSource{"settings": configMap("settings")})
	objects := withVolumes(with(container("main", "cat /all/a /all/b /part/deep/a /single /mixed/a /mixed/name; ls /none; [ -x /part/deep/a ]"), func(c *corev1.Container) {
		c.VolumeMounts = []corev1.VolumeMount{{Name: "all", MountPath: "/single", SubPath: "b"}}
	}), map[string]corev1.VolumeSource{
		"all":  configMap("settings"),
		"none": {ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "absent"}, Optional: new(true)}},
		"part": {ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}, DefaultMode: new(int32(0o555)), Optional: new(true),
			Items: []corev1.KeyToPath{{Key: "a", Path: "deep/a"}, {Key: "absent", Path: "absent"}},
		}},
		"mixed": {Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{
				Path: "name", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels['app']"},
			}}}},
		}}},
	})
	objects.PodLabels = map[string]string{"app": "volumes"}
	secret := withVolumes(container("main", "cat /credentials/token"), map[string]corev1.VolumeSource{"credentials": {Secret: &corev1.SecretVolumeSource{SecretName: "credentials"}}})
	claim := withVolumes(container("main", "true"), map[string]corev1.VolumeSource{"data": {PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}})
	key := &kontinue.PodOptions{Spec: pod(with(container("main", "true"), func(c *corev1.Container) {
		c.Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}, Key: "absent",
		}}}}
	}))}
	settings := func(data map[string]string) func(ctx context.Context, r *Run) error {
		return func(ctx context.Context, r *Run) error {
			_, err := r.Admin.CoreV1().ConfigMaps(r.Namespace).Create(ctx, &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: data,
			}, metav1.CreateOptions{})
			return err
		}
	}
	return []*Scenario{
		{
			Name: "volume-shared", Shows: "the main container reads what an init container wrote to an emptyDir",
			Pod: shared, Want: podSucceeds(),
			After: func(_ context.Context, r *Run) error { return r.wantLogs(nil, "from setup\nfrom setup\n") },
		},
		{
			Name: "volume-working-directory", Shows: "the working directory is in a volume, and a variable has the path of its file",
			Pod: workdir, Want: podSucceeds(), Before: settings(map[string]string{"file": "first\nlast\n"}),
			After: func(_ context.Context, r *Run) error {
				return firstError(r.wantLogs(nil, "first\nlast\nfirst\nlast\n"), equalLog(r.Pod.Output(""), "done\n"))
			},
		},
		{
			Name: "volume-of-objects", Shows: "volumes show a ConfigMap, parts of it, a file of it, and a field of the pod",
			Pod: objects, Want: podSucceeds(), Before: settings(map[string]string{"a": "A\n", "b": "B\n"}),
			After: func(_ context.Context, r *Run) error { return r.wantLogs(nil, "A\nB\nA\nB\nA\nvolumes") },
		},
		{
			Name: "volume-late-secret", Shows: "the Secret of a volume is created after the pod",
			Pod: secret, Want: podSucceeds(),
			During: func(ctx context.Context, r *Run) error {
				if err := r.event(ctx, "FailedMount", `secret "credentials" not found`); err != nil {
					return err
				}
				return r.secret(ctx, "credentials", "token", "sesame")
			},
			After: func(_ context.Context, r *Run) error { return r.wantLogs(nil, "sesame") },
		},
		{
			Name: "missing-claim", Shows: "a volume refers to a PersistentVolumeClaim that does not exist before the deadline",
			Pod: within(claim, stuckFor), Play: play(containers.Script{}),
			During: untilReported(`persistentvolumeclaim "data" not found`),
			Want: Want{
				Pods: pods(1, pending), Message: []string{"DeadlineExceeded", "pod is unschedulable", `persistentvolumeclaim "data" not found`},
				Exit: &WantExit{Reason: "DeadlineExceeded", Is: kontinue.ErrDeadlineExceeded},
			},
		},
		{
			Name: "missing-key-env", Shows: "an environment variable refers to a key that the ConfigMap does not have before the deadline",
			Pod: within(key, stuckFor), Play: play(containers.Script{}), Before: settings(map[string]string{"a": "A"}),
			During: untilReported("couldn't find key absent in ConfigMap"),
			Want: Want{
				Pods: pods(1, failed), Message: []string{"DeadlineExceeded", `container "main"`},
				Exit: &WantExit{Container: "main", Reason: "DeadlineExceeded", Is: kontinue.ErrDeadlineExceeded},
			},
		},
	}
}

func emptyDir() corev1.VolumeSource {
	return corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
}

func configMap(name string) corev1.VolumeSource {
	return corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}
}

// withVolumes returns a pod of one container, which has each volume at the path with its
// name.
func withVolumes(c corev1.Container, sources map[string]corev1.VolumeSource) *kontinue.PodOptions {
	spec := pod(c)
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: name, VolumeSource: sources[name]})
		mounts(name, "/"+name)(&spec.Containers[0])
	}
	return &kontinue.PodOptions{Spec: spec}
}

// mounts adds a volume mount to a container.
func mounts(volume, path string) func(c *corev1.Container) {
	return func(c *corev1.Container) {
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: path})
	}
}
