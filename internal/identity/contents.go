package identity

import (
	"hash/maphash"

	corev1 "k8s.io/api/core/v1"
)

// Contents is a hash of what the containers of a pod run. It reveals a Job that was made
// from a copy of another one, with its annotations. It is valid within this process, and
// never 0.
func Contents(spec *corev1.PodSpec) uint64 {
	var h maphash.Hash
	h.SetSeed(contentsSeed)
	add := func(texts ...string) {
		for _, text := range texts {
			_, _ = h.WriteString(text)
			_ = h.WriteByte(0)
		}
		_ = h.WriteByte(1)
	}
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			c := &list[i]
			add(c.Name, c.Image)
			add(c.Command...)
			add(c.Args...)
		}
	}
	return max(1, h.Sum64())
}

var contentsSeed = maphash.MakeSeed()
