package kontinue

import (
	"context"
	"strings"

	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/events"
	"github.com/kontinue/kontinue/internal/preflight"
)

// rights returns what the client may need from its start on.
func (c Config) rights() []preflight.Right {
	rights := append(preflight.Worker(), preflight.ListEvents)
	if !c.SkipEvents {
		rights = append(rights, preflight.CreateEvents)
	}
	return rights
}

// preflight returns the check of the client's rights. What the API server does not answer, the
// first requests find out.
func (c Config) preflight(clientset kubernetes.Interface, explanations *events.Reader, reporter *events.Writer) func(context.Context) error {
	return func(ctx context.Context) error {
		denied, unknown := preflight.Check(ctx, clientset, c.served(), c.rights())
		optional, err := preflight.Split(ctx, clientset, denied)
		if err != nil {
			return err
		}
		if unknown != nil {
			c.Logger.DebugContext(ctx, "some rights of the client are not known before its first requests", "error", unknown)
			return nil
		}
		var missing []preflight.Right
		namespaces := map[preflight.Right][]string{}
		for _, d := range optional {
			if namespaces[d.Right] == nil {
				missing = append(missing, d.Right)
			}
			namespaces[d.Right] = append(namespaces[d.Right], d.Namespace)
			switch d.Right {
			case preflight.ListEvents:
				explanations.Refuse(d.Namespace)
			case preflight.CreateEvents:
				reporter.Refuse(d.Namespace)
			}
		}
		for _, r := range missing {
			c.Logger.WarnContext(ctx, "an optional right is missing: see deploy/rbac-optional.yaml",
				"right", r.String(), "namespace", strings.Join(namespaces[r], ", "), "without", r.Without)
		}
		if !c.SkipEvents {
			reporter.Enable()
		}
		return nil
	}
}
