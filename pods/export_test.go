package pods

// For the tests.
const MaxScriptBytes = maxScriptBytes

var DefaultShell = defaultShell
