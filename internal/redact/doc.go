// Package redact keeps confidential values of a pod template out of the texts of
// errors.
//
// An API server, and even more so an admission webhook, quotes what it rejects:
// environment values, arguments, whole templates. [Of] collects the values of a Job's
// [Hidden] fields, and [Secrets.Hide] replaces them in a text, in any form of quoting.
// [Secrets.ErrorText] also removes each value that a validation error (422) quotes from
// the pod template, since the server also quotes values that it has defaulted or
// truncated. The error itself is not changed: a caller that unwraps it gets the whole
// response.
package redact
