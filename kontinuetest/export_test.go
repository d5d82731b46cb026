package kontinuetest

// ReadRecording reads a recording as Replay does before it plays it.
func ReadRecording(file string) error {
	_, err := readIndex(file)
	return err
}
