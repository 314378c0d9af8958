// Package msgpack is a stand-in.
package msgpack

// FromJSON is a stand-in.
func FromJSON(dst, json []byte) ([]byte, error) { return append(dst, json...), nil }
