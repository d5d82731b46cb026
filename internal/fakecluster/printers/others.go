package printers

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var configMapColumns = []metav1.TableColumnDefinition{nameColumn, column("Data", corev1.ConfigMap{}.SwaggerDoc()["data"]), ageColumn}

func configMapRow(m *corev1.ConfigMap) metav1.TableRow {
	return cells(m.Name, int64(len(m.Data)+len(m.BinaryData)), since(m.CreationTimestamp))
}

var secretColumns = []metav1.TableColumnDefinition{
	nameColumn, column("Type", corev1.Secret{}.SwaggerDoc()["type"]), column("Data", corev1.Secret{}.SwaggerDoc()["data"]), ageColumn,
}

func secretRow(s *corev1.Secret) metav1.TableRow {
	return cells(s.Name, string(s.Type), int64(len(s.Data)), since(s.CreationTimestamp))
}

var namespaceColumns = []metav1.TableColumnDefinition{nameColumn, column("Status", "The status of the namespace"), ageColumn}

func namespaceRow(ns *corev1.Namespace) metav1.TableRow {
	return cells(ns.Name, string(ns.Status.Phase), since(ns.CreationTimestamp))
}

var leaseColumns = []metav1.TableColumnDefinition{
	nameColumn, column("Holder", coordinationv1.LeaseSpec{}.SwaggerDoc()["holderIdentity"]), ageColumn,
}

func leaseRow(l *coordinationv1.Lease) metav1.TableRow {
	holder := ""
	if l.Spec.HolderIdentity != nil {
		holder = *l.Spec.HolderIdentity
	}
	return cells(l.Name, holder, since(l.CreationTimestamp))
}

var (
	nodeInfoDoc = corev1.NodeSystemInfo{}.SwaggerDoc()
	nodeColumns = []metav1.TableColumnDefinition{
		nameColumn,
		column("Status", "The status of the node"),
		column("Roles", "The roles of the node"),
		ageColumn,
		column("Version", nodeInfoDoc["kubeletVersion"]),
		wide("Internal-IP", corev1.NodeStatus{}.SwaggerDoc()["addresses"]),
		wide("External-IP", corev1.NodeStatus{}.SwaggerDoc()["addresses"]),
		wide("OS-Image", nodeInfoDoc["osImage"]),
		wide("Kernel-Version", nodeInfoDoc["kernelVersion"]),
		wide("Container-Runtime", nodeInfoDoc["containerRuntimeVersion"]),
	}
)

func nodeRow(n *corev1.Node) metav1.TableRow {
	const unknown = "<unknown>"
	status := "Unknown"
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			status = "NotReady"
			if c.Status == corev1.ConditionTrue {
				status = "Ready"
			}
		}
	}
	if n.Spec.Unschedulable {
		status += ",SchedulingDisabled"
	}
	address := func(kind corev1.NodeAddressType) string {
		for _, a := range n.Status.Addresses {
			if a.Type == kind {
				return a.Address
			}
		}
		return none
	}
	info := n.Status.NodeInfo
	kernel := or(info.KernelVersion, unknown)
	if info.Architecture != "" {
		kernel += " (" + info.Architecture + ")"
	}
	return cells(n.Name, status, or(strings.Join(roles(n), ","), none), since(n.CreationTimestamp), info.KubeletVersion,
		address(corev1.NodeInternalIP), address(corev1.NodeExternalIP), or(info.OSImage, unknown), kernel, or(info.ContainerRuntimeVersion, unknown))
}

func roles(n *corev1.Node) []string {
	found := map[string]bool{}
	for key, value := range n.Labels {
		if role, ok := strings.CutPrefix(key, "node-role.kubernetes.io/"); ok {
			found[role] = true
		}
		if key == "kubernetes.io/role" {
			found[value] = true
		}
	}
	delete(found, "")
	return slices.Sorted(maps.Keys(found))
}

var (
	eventDoc     = corev1.Event{}.SwaggerDoc()
	eventColumns = []metav1.TableColumnDefinition{
		column("Last Seen", eventDoc["lastTimestamp"]),
		column("Type", eventDoc["type"]),
		column("Reason", eventDoc["reason"]),
		column("Object", eventDoc["involvedObject"]),
		wide("Subobject", corev1.ObjectReference{}.SwaggerDoc()["fieldPath"]),
		wide("Source", eventDoc["source"]),
		column("Message", eventDoc["message"]),
		wide("First Seen", eventDoc["firstTimestamp"]),
		wide("Count", eventDoc["count"]),
		{Name: "Name", Type: "string", Format: "name", Priority: 1, Description: metaDoc["name"]},
	}
)

func eventRow(e *corev1.Event) metav1.TableRow {
	// Events of the newer API have an event time and a series instead.
	first, last, count := e.FirstTimestamp, e.LastTimestamp, max(e.Count, 1)
	if first.IsZero() {
		first = metav1.Time(e.EventTime)
	}
	if last.IsZero() {
		last = first
	}
	if e.Series != nil {
		last, count = metav1.Time(e.Series.LastObservedTime), e.Series.Count
	}
	object := strings.ToLower(e.InvolvedObject.Kind)
	if e.InvolvedObject.Name != "" {
		object += "/" + e.InvolvedObject.Name
	}
	source := cmp.Or(e.Source.Component, e.ReportingController)
	if host := cmp.Or(e.Source.Host, e.ReportingInstance); host != "" {
		source += ", " + host
	}
	return cells(since(last), e.Type, e.Reason, object, e.InvolvedObject.FieldPath, source,
		strings.TrimSpace(e.Message), since(first), int64(count), e.Name)
}
