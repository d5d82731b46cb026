package apiserver

import (
	"slices"
	"strings"
)

const (
	asJSON    = "application/json"
	mergeType = "application/merge-patch+json"
	applyType = "application/apply-patch+yaml"
	wireCMs   = "/api/v1/namespaces/wire/configmaps"
	wireJobs  = "/apis/batch/v1/namespaces/wire/jobs"
	wireExecs = "/apis/example.com/v1/namespaces/wire/executions"
)

func wireCustom(w *wire) {
	post := func(query, body string) { w.send("POST", wireExecs+query, asJSON, body, "") }
	const kind = `"apiVersion":"example.com/v1","kind":"Execution"`
	post("", `{`+kind+`,"metadata":{"name":"a","labels":{"x":"y"},"finalizers":["example.com/hold"]},"spec":{"n":1},"status":{"phase":"New"}}`)
	post("", `{`+kind+`,"metadata":{"name":"a"}}`)
	post("", `{`+kind+`,"metadata":{"name":"A_B"}}`)
	post("", `{`+kind+`,"metadata":{}}`)
	post("", `{"metadata":{"name":"b"}}`)
	post("", `{"apiVersion":"example.com/v1","metadata":{"name":"b"}}`)
	post("", `{"apiVersion":"example.com/v1","kind":"Other","metadata":{"name":"b"}}`)
	post("", `{"apiVersion":"example.com/v2","kind":"Execution","metadata":{"name":"b"}}`)
	post("", `{`+kind+`,"metadata":{"name":"b","labels":{"a":1}}}`)
	post("", `{`+kind+`,"metadata":[]}`)
	post("", `{`+kind)
	post("", `{`+kind+`,"metadata":{"name":"b","nick":"c"},"spec":{"a":1,"a":2}}`)
	post("?fieldValidation=Strict", `{`+kind+`,"metadata":{"name":"c","nick":"c"},"spec":{"a":1,"a":2}}`)
	post("?fieldValidation=Ignore", `{`+kind+`,"metadata":{"name":"c","nick":"c"},"spec":{"a":1,"a":2}}`)
	post("?dryRun=All", `{`+kind+`,"metadata":{"name":"d"}}`)
	w.send("POST", wireExecs, "application/yaml", "apiVersion: example.com/v1\nkind: Execution\nmetadata: {name: e}\n", "")
	w.send("GET", wireExecs+"/a", "", "", "application/vnd.kubernetes.protobuf")
	w.send("GET", wireExecs+"/a", "", "", "application/vnd.kubernetes.protobuf,application/json")
	w.send("GET", wireExecs+"/a", "", "", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
	w.send("GET", wireExecs, "", "", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
	w.send("GET", wireExecs, "", "", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
	w.send("GET", wireExecs+"/a", "", "", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
	w.send("GET", wireExecs+"?labelSelector=x", "", "", "")
	w.send("GET", wireExecs+"?fieldSelector=spec.n%3D1", "", "", "")
	w.send("GET", wireExecs+"/none", "", "", "")
	w.send("GET", wireExecs+"/a/scale", "", "", "")
	w.send("GET", wireExecs+"/a/status", "", "", "")

	patch := func(contentType, sub, body string) { w.send("PATCH", wireExecs+"/a"+sub, contentType, body, "") }
	patch(mergeType, "", `{"metadata":{"labels":{"x":null}},"spec":{"n":2},"status":{"phase":"no"}}`)
	patch(mergeType, "/status", `{"metadata":{"labels":{"x":"z"}},"spec":{"n":3},"status":{"phase":"Running"}}`)
	patch(mergeType, "", `{"metadata":{"annotations":{"a":"b"}}}`)
	patch("application/json-patch+json", "", `[{"op":"test","path":"/kind","value":"Execution"},{"op":"add","path":"/spec/list","value":[1]}]`)
	patch("application/json-patch+json", "", `[{"op":"test","path":"/spec/n","value":7}]`)
	patch("application/strategic-merge-patch+json", "", `{}`)
	patch(mergeType, "", `{"kind":"Other"}`)
	patch(mergeType, "", `{"metadata":{"name":"b"}}`)
	patch(mergeType, "", `{"metadata":{"nick":"b"}}`)
	w.send("PUT", wireExecs+"/a", asJSON, `{`+kind+`,"metadata":{"name":"a"}}`, "")
	w.send("PUT", wireExecs+"/a", asJSON, `{`+kind+`,"metadata":{"name":"a","resourceVersion":"1"}}`, "")
	w.send("PUT", wireExecs+"/none", asJSON, `{`+kind+`,"metadata":{"name":"none"}}`, "")
	w.send("DELETE", wireExecs+"/a", "", "", "")
	w.send("DELETE", wireExecs+"/a", "", "", "")
	patch(mergeType, "", `{"metadata":{"finalizers":null}}`)
	w.send("DELETE", wireExecs+"/b?propagationPolicy=Background", "", "", "")
	w.send("DELETE", wireExecs+"?labelSelector=nothing", "", "", "")
	w.send("DELETE", wireExecs, "", "", "")
}

// named keeps the entries of a list with the given names.
func named(list, key string, names ...string) func(map[string]any) any {
	return func(doc map[string]any) any {
		items, _ := doc[list].([]any)
		doc[list] = slices.DeleteFunc(items, func(item any) bool {
			entry, ok := item.(map[string]any)
			name, _ := entry[key].(string)
			base, _, _ := strings.Cut(name, "/")
			return !ok || !slices.Contains(names, base)
		})
		return doc
	}
}

func wireDiscovery(w *wire) {
	w.send("GET", "/api", "", "", "")
	w.send("GET", "/apis/example.com", "", "", "")
	w.send("GET", "/apis/example.com/v1", "", "", "")
	w.send("GET", "/apis/batch/v1", "", "", "", named("resources", "name", "jobs"))
	w.send("GET", "/api/v1", "", "", "", named("resources", "name", "configmaps", "events", "secrets"))
	w.send("GET", "/apis", "", "", "", named("groups", "name", "batch", "example.com", "coordination.k8s.io"))
	w.send("GET", "/apis", "", "", aggregatedType, func(doc map[string]any) any {
		items, _ := doc["items"].([]any)
		doc["items"] = slices.DeleteFunc(items, func(item any) bool {
			entry, _ := item.(map[string]any)
			meta, _ := entry["metadata"].(map[string]any)
			return meta["name"] != "example.com"
		})
		return doc
	})
	w.send("GET", "/apis/example.org", "", "", "")
	w.send("GET", "/apis/example.com/v2", "", "", "")
	w.send("GET", "/livez", "", "", "")
}

func wireTables(w *wire) {
	const table = "application/json;as=Table;v=v1;g=meta.k8s.io"
	w.send("POST", wireCMs, asJSON, `{"metadata":{"name":"conf"},"data":{"a":"b"},"binaryData":{"c":"AAAA"}}`, "")
	w.send("POST", "/api/v1/namespaces/wire/secrets", asJSON, `{"metadata":{"name":"s"},"data":{"a":"Yg=="}}`, "")
	w.send("POST", wireExecs, asJSON, `{"apiVersion":"example.com/v1","kind":"Execution","metadata":{"name":"t"}}`, "")
	w.send("POST", wireJobs, asJSON, `{"metadata":{"name":"j"},"spec":{"parallelism":2,"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"a","image":"x:1"},{"name":"b","image":"y:1"}]}}}}`, "")
	w.send("POST", "/api/v1/namespaces/wire/pods", asJSON, `{"metadata":{"name":"p"},"spec":{"serviceAccountName":"default","initContainers":[{"name":"i","image":"x:1"}],"containers":[{"name":"a","image":"x:1"},{"name":"b","image":"y:1"}]}}`, "")
	w.send("POST", "/api/v1/namespaces/wire/events", asJSON, `{"metadata":{"name":"e"},"involvedObject":{"kind":"Pod","name":"p","namespace":"wire","fieldPath":"spec"},"reason":"Failed","message":" no ","type":"Warning","count":3,"source":{"component":"kubelet","host":"n"}}`, "")
	for _, path := range []string{
		wireCMs + "/conf", wireCMs + "?fieldSelector=metadata.name%3Dconf", "/api/v1/namespaces/wire/secrets/s", "/api/v1/namespaces/wire", wireExecs, wireExecs + "/t",
		wireJobs, "/api/v1/namespaces/wire/pods", "/api/v1/namespaces/wire/pods?includeObject=None", wireCMs + "/conf?includeObject=Object", wireCMs + "/conf?includeObject=Some",
		"/api/v1/namespaces/wire/events/e", "/api/v1/nodes",
	} {
		w.send("GET", path, "", "", table)
	}
	for _, status := range []string{
		`{"phase":"Pending","initContainerStatuses":[{"name":"i","image":"","imageID":"","ready":false,"restartCount":0,"state":{"waiting":{"reason":"PodInitializing"}}}]}`,
		`{"phase":"Running","podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"}],"initContainerStatuses":[{"name":"i","image":"","imageID":"","ready":true,"restartCount":1,"state":{"terminated":{"exitCode":0,"reason":"Completed"}}}],"containerStatuses":[{"name":"a","image":"","imageID":"","ready":true,"restartCount":2,"state":{"running":{}}},{"name":"b","image":"","imageID":"","ready":false,"restartCount":0,"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}`,
		`{"phase":"Failed","containerStatuses":[{"name":"a","image":"","imageID":"","ready":false,"restartCount":0,"state":{"terminated":{"exitCode":0,"reason":"Completed"}}},{"name":"b","image":"","imageID":"","ready":false,"restartCount":0,"state":{"terminated":{"exitCode":3,"reason":"Error"}}}]}`,
	} {
		w.exchange("PATCH", "/api/v1/namespaces/wire/pods/p/status", mergeType, `{"status":`+status+`}`, "")
		w.send("GET", "/api/v1/namespaces/wire/pods/p?includeObject=None", "", "", table, func(doc map[string]any) any { return doc["rows"] })
	}
	w.send("GET", wireCMs+"/conf", "", "", "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io")
	w.send("GET", wireCMs+"?watch=1&timeoutSeconds=1&includeObject=None&fieldSelector=metadata.name%3Dconf&resourceVersion=0", "", "", table)
	w.send("GET", wireExecs+"?watch=1&timeoutSeconds=1&resourceVersion=0", "", "", "")
}

func wireApply(w *wire) {
	apply := func(path, query, body string) { w.send("PATCH", path+query, applyType, body, "") }
	const conf = wireCMs + "/applied"
	const head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\n"
	apply(conf, "", head)
	apply(conf, "?fieldManager=me", head+"data: {a: '1', b: '1'}\n")
	apply(conf, "?fieldManager=me", head+"data: {a: '1', b: '1'}\n")
	apply(conf, "?fieldManager=you", head+"data: {a: '2', b: '2', c: '1'}\n")
	apply(conf, "?fieldManager=you&force=true", head+"data: {a: '2', c: '1'}\n")
	apply(conf, "?fieldManager=you", head+"data: {a: '2'}\n")
	w.send("PATCH", conf+"?fieldManager=editor", mergeType, `{"data":{"d":"1"}}`, "")
	apply(conf, "?fieldManager=you", head+"data: {a: '2', d: '2'}\n")
	apply(conf, "?fieldManager=you&dryRun=All", head+"data: {a: '3'}\n")
	apply(conf, "?fieldManager=you", head+"spec: 1\n")
	apply(conf, "?fieldManager=you", "a: [")
	apply(conf, "?fieldManager=you", "metadata: {name: applied}\n")
	apply(conf, "?fieldManager=you", "apiVersion: v1\nkind: Secret\nmetadata: {name: applied}\n")
	apply(conf, "?fieldManager=you", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n")
	apply(conf, "?fieldManager=you", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied, managedFields: [{manager: x}]}\n")
	apply(wireCMs+"/new", "?fieldManager=you", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new, uid: x}\n")
	apply(wireCMs+"/new", "?fieldManager=you", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new, resourceVersion: '1'}\n")
	apply(wireCMs+"/new", "?fieldManager=you", "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n")
	apply(wireCMs+"/new", "?fieldManager=you&fieldValidation=Strict", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\ndata: {a: b, a: c}\n")
	apply(wireCMs+"/new", "?fieldManager=you", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\ndata: {a: b, a: c}\n")
	w.send("PATCH", conf+"?force=true", mergeType, `{}`, "")

	const job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: applied}\nspec:\n  suspend: true\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n      - {name: a, image: 'x:1'}\n"
	apply(wireJobs+"/applied", "?fieldManager=me", job)
	apply(wireJobs+"/applied", "?fieldManager=you", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: applied}\nspec: {suspend: false}\n")
	apply(wireJobs+"/none/status", "?fieldManager=you", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: none}\n")

	const execution = "apiVersion: example.com/v1\nkind: Execution\nmetadata: {name: applied}\n"
	apply(wireExecs+"/applied", "?fieldManager=me", execution+"spec: {a: 1, list: [x]}\nstatus: {phase: New}\n")
	apply(wireExecs+"/applied", "?fieldManager=you", execution+"spec: {list: [y]}\n")
	apply(wireExecs+"/applied/status", "?fieldManager=worker", execution+"status: {phase: Running}\n")
	apply(wireExecs+"/applied", "?fieldManager=me", execution+"spec: {list: [x]}\n")
	w.send("PATCH", wireExecs+"/applied/status?fieldManager=other", mergeType, `{"status":{"phase":"Done"}}`, "")
}

func wireFields(w *wire) {
	const body = `{"kind":"Job","apiVersion":"batch/v1","metadata":{"name":"f","name":"f"},"spec":{"odd":1,"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"a","image":"x:1"}]}}}}`
	for _, query := range []string{"?fieldValidation=Strict", "?fieldValidation=Maybe", "?dryRun=Some", "?dryRun=All", "?dryRun=All&fieldValidation=Ignore"} {
		w.send("POST", wireJobs+query, asJSON, body, "", func(doc map[string]any) any {
			delete(doc, "spec")
			delete(doc, "metadata")
			return doc
		})
	}
	for _, tc := range [][2]string{
		{mergeType, `{"metadata":{"nick":1},"data":{"a":"1","a":"2"}}`},
		{"application/strategic-merge-patch+json", `{"metadata":{"nick":1},"data":{"a":"3","a":"4"}}`},
		{"application/json-patch+json", `[{"op":"add","path":"/odd","value":1,"more":2}]`},
		{"application/strategic-merge-patch+json", `{"data":{"a":1}}`},
		{mergeType, `{`},
	} {
		for _, query := range []string{"", "?fieldValidation=Ignore"} {
			w.send("PATCH", wireCMs+"/conf"+query, tc[0], tc[1], "")
		}
	}
	w.send("PATCH", wireCMs+"/conf?fieldValidation=Strict", "application/strategic-merge-patch+json", `{"metadata":{"nick":1},"data":{"a":"3","a":"4"}}`, "")
	w.send("PATCH", wireCMs+"/conf?dryRun=All", mergeType, `{"data":{"a":"dry"}}`, "")
	w.send("DELETE", wireCMs+"/conf?dryRun=All", "", "", "")
	w.send("DELETE", wireCMs+"/conf?dryRun=Some", "", "", "")
	w.send("DELETE", wireCMs+"/conf", asJSON, `{"propagationPolicy":"Sideways"}`, "")
	w.send("PATCH", wireCMs+"/conf", mergeType, `[]`, "")
	w.send("GET", wireCMs+"/none", "", "", "application/yaml")
}

func wireBad(w *wire) {
	w.send("PATCH", wireCMs+"/conf", asJSON, `{}`, "")
	w.send("POST", wireCMs, "text/csv", `a`, "")
	w.send("GET", wireCMs+"/conf", "", "", "text/html")
	w.send("GET", wireCMs+"?watch=1", "", "", "application/yaml")
	w.send("GET", "/apis/batch/v1/namespaces/wire/things", "", "", "")
	w.send("GET", "/apis/batch/v7/namespaces/wire/jobs", "", "", "")
	w.send("GET", "/nothing", "", "", "")
	w.send("POST", wireCMs+"/conf", asJSON, "{}", "")
	w.send("DELETE", "/api/v1/namespaces", "", "", "")
	w.send("POST", "/apis/example.com/v1/executions", asJSON, "{}", "")
	w.send("PUT", wireExecs, asJSON, "{}", "")
	w.send("GET", "/apis/example.com/v1/things", "", "", "")
	w.send("GET", "/apis/batch/v1/jobs/a", "", "", "")
	w.send("GET", "/api/v1/namespaces/wire/nodes", "", "", "")
	w.send("GET", wireCMs+"?limit=x", "", "", "")
	w.send("GET", wireCMs+"/conf/status", "", "", "")
}
