package kontinue

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// checkNamespaces returns what is wrong with the fields that say which namespaces are
// served.
func (c Config) checkNamespaces() error {
	set := 0
	for _, isSet := range []bool{c.Namespace != "", len(c.Namespaces) > 0, c.AllNamespaces} {
		if isSet {
			set++
		}
	}
	switch set {
	case 0:
		return errors.New("Namespace is empty: set it to the namespace of the Executions, or set Namespaces or AllNamespaces")
	case 1:
	default:
		return errors.New("set only one of Namespace, Namespaces and AllNamespaces")
	}
	var errs []error
	if c.Namespace != "" {
		errs = append(errs, checkNamespace("Namespace", c.Namespace))
	}
	for i, namespace := range c.Namespaces {
		errs = append(errs, checkNamespace(fmt.Sprintf("Namespaces[%d]", i), namespace))
		if slices.Contains(c.Namespaces[:i], namespace) {
			errs = append(errs, fmt.Errorf("Namespaces[%d] %q: it is in the list already", i, namespace))
		}
	}
	return errors.Join(errs...)
}

func checkNamespace(field, namespace string) error {
	if msgs := validation.IsDNS1123Label(namespace); len(msgs) > 0 {
		return fmt.Errorf("%s %q: %s", field, namespace, msgs[0])
	}
	return nil
}

// served returns the namespaces of the client; none stands for all.
func (c Config) served() []string {
	if c.Namespace != "" {
		return []string{c.Namespace}
	}
	return c.Namespaces
}

// namespaceOf returns the namespace of an Execution that names this one, which may be
// empty.
func (c Config) namespaceOf(namespace string) (string, error) {
	served := c.served()
	list := strings.Join(served, ", ")
	switch {
	case namespace == "" && len(served) == 1:
		return served[0], nil
	case namespace == "" && len(served) == 0:
		return "", errors.New("Namespace is empty, and the client serves all: set it to that of the Owner")
	case namespace == "":
		return "", fmt.Errorf("Namespace is empty, and the client serves several (%s): set it to that of the Owner", list)
	case len(served) == 0:
		return namespace, checkNamespace("Namespace", namespace)
	case slices.Contains(served, namespace):
		return namespace, nil
	case len(served) == 1:
		return namespace, fmt.Errorf("Namespace %q is not the client's %q: use another client, or one with Config.Namespaces", namespace, list)
	default:
		return namespace, fmt.Errorf("Namespace %q is not one of the client's (%s): add it to Config.Namespaces, or use another client", namespace, list)
	}
}
