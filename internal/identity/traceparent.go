package identity

// TraceParent returns v if it is a W3C traceparent of version 00, VERSION-TRACE-SPAN-FLAGS in
// hexadecimal digits, and "" for anything else: who may edit a Job must not decide how much
// of it a process keeps.
func TraceParent(v string) string {
	const form = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-00"
	if len(v) != len(form) || v[:3] != form[:3] || v[35] != '-' || v[52] != '-' {
		return ""
	}
	for i := 3; i < len(v); i++ {
		c := v[i]
		if hex := '0' <= c && c <= '9' || 'a' <= c && c <= 'f'; !hex && i != 35 && i != 52 {
			return ""
		}
	}
	return v
}
