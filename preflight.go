package kontinue

import (
	"context"

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

// preflight returns the check of the client's rights. Where the API server does not answer,
// the first requests find out.
func (c Config) preflight(clientset kubernetes.Interface, explanations *events.Reader, reporter *events.Writer) func(context.Context) error {
	return func(ctx context.Context) error {
		denied, err := preflight.Check(ctx, clientset, c.served(), c.rights())
		if err != nil {
			c.Logger.DebugContext(ctx, "the rights of the client are not known before its first requests", "error", err)
			return nil
		}
		optional, err := preflight.Split(ctx, clientset, denied)
		if err != nil {
			return err
		}
		missing := map[string]bool{}
		for _, d := range optional {
			if !missing[d.String()] {
				missing[d.String()] = true
				c.Logger.WarnContext(ctx, "an optional right is missing: see deploy/rbac-optional.yaml",
					"right", d.String(), "namespace", d.Namespace, "without", d.Without)
			}
		}
		if missing[preflight.ListEvents.String()] {
			explanations.Refuse()
		}
		if !missing[preflight.CreateEvents.String()] && !c.SkipEvents {
			reporter.Enable()
		}
		return nil
	}
}
