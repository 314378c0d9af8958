package sse

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
)

// An event id is <epoch>-<version>.<tag>. The tag says all that the client was told up to that id:
// for each topic of the stream, the version of the state that it was sent and what Own told it. So
// an id leads to exactly what its client holds, and the server remembers nothing about clients that
// have gone.
//
// What happens to an id that a client brings back:
//
//	id ──▶ is it of this epoch? ──no──▶ whole states; nothing is known
//	         │ yes
//	         ▼
//	       is the checksum right ──no──▶ whole states; the version is known,
//	       for this scope?               and the caller works out from it what Own must tell
//	         │ yes: Resume.Told is known for each topic
//	         ▼
//	       does each topic still ──no──▶ whole states; Own tells what is new since
//	       retain the state sent?
//	         │ yes: recovered
//	         ▼
//	       for each topic, from the state sent to the newest; nothing if they are the same
//
// The checksum covers the tag, the version and the stream's scope. Its key is known to this process
// alone. So the checksum is wrong if the id comes from another process, from another user's stream
// or from a stream of other topics. Such an id does not say what this process told this client.
//
// A tag tells its client nothing new, since the client was told all of it before. In particular, no
// number in it changes because of what other people do.

const (
	sumSize = 9    // of the tag's checksum, in bytes
	maxTag  = 4096 // in characters; 32 topics take some 500
)

// tagText is base64 without padding, and without the `-` that ends the epoch.
var tagText = base64.NewEncoding(
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~",
).WithPadding(base64.NoPadding).Strict()

// scopeKey is the key of the checksums for one scope.
type scopeKey [16]byte

// newKey returns a random key.
func newKey() (key [32]byte) {
	_, _ = rand.Read(key[:]) // it never fails
	return key
}

// scope returns the key for the ids of streams with that scope.
func (h *Hub) scope(name string) (key scopeKey) {
	sum := sha256.Sum256(append(h.key[:], name...))
	copy(key[:], sum[:])
	return key
}

// sum returns the checksum of a tag's content. It leaves out most of SHA-256's output. That keeps
// anybody from extending the hashed text, which makes a plain hash as good as HMAC here, and
// cheaper.
func (k scopeKey) sum(version int64, content []byte) (sum [sumSize]byte) {
	var space [128]byte
	text := binary.BigEndian.AppendUint64(append(space[:0], k[:]...), uint64(version))
	whole := sha256.Sum256(append(text, content...))
	copy(sum[:], whole[:])
	return sum
}

// part is what a client was told of one topic.
type part struct {
	sent int64  // the version of the state that it was sent, or noVersion
	told []byte // see Own.Told
}

// appendPart appends a part to a tag's content. version is the id's version; no part has a higher
// one.
func appendPart(content []byte, version, sent int64, own Own) []byte {
	if sent == noVersion {
		content = append(content, 0)
	} else {
		content = binary.AppendUvarint(content, uint64(version-sent)+1)
	}
	content = append(content, 0)
	if own == nil {
		return content
	}
	from := len(content)
	content = own.Told(content)
	content[from-1] = byte(len(content) - from)
	return content
}

// parts reads n parts that appendPart has written. ok is false if content is something else.
func parts(content []byte, version int64, n int) (all []part, ok bool) {
	for range n {
		before, read := binary.Uvarint(content)
		if read <= 0 || len(content) == read || before > uint64(version)+1 {
			return nil, false
		}
		length := int(content[read])
		if content = content[read+1:]; len(content) < length {
			return nil, false
		}
		p := part{sent: noVersion, told: content[:length]}
		if before > 0 {
			p.sent = version + 1 - int64(before)
		}
		all, content = append(all, p), content[length:]
	}
	return all, len(content) == 0
}

// id returns the event id that says what the client was told of all topics.
func (s *subscriber) id() string { return string(s.appendID(nil, &scratch{})) }

// appendID appends the id to dst, which must not be the scratch's tag. It appends nothing if the
// client was told nothing yet.
func (s *subscriber) appendID(dst []byte, r *scratch) []byte {
	if s.lastID == noVersion {
		return dst
	}
	content := append(r.tag[:0], make([]byte, sumSize)...)
	for i := range s.follows {
		f := &s.follows[i]
		sent := f.sent
		if f.stage != following { // a stream that follows the topic again begins with a whole state
			sent = noVersion
		}
		content = appendPart(content, s.lastID, sent, f.own)
	}
	sum := s.scope.sum(s.lastID, content[sumSize:])
	copy(content, sum[:])
	r.tag = content
	dst = strconv.AppendInt(append(append(dst, s.server.hub.epoch...), '-'), s.lastID, 10)
	return tagText.AppendEncode(append(dst, '.'), content)
}

// Resume is what an event id says about the client that saw it last. The zero value stands for no
// id.
type Resume struct {
	id      string // "" if it is not of this hub's epoch
	version int64
	parts   []part // of the topics in their order; nil if this process did not give the id
}

// Version returns the version that the id names, or -1 if there is none.
func (r Resume) Version() int64 {
	if r.id == "" {
		return noVersion
	}
	return r.version
}

// Told returns what the topic's Own had told the client, or nil if that is not known. Topics are
// counted from 0, in the order of the stream's follows.
func (r Resume) Told(topic int) []byte {
	if topic >= len(r.parts) {
		return nil
	}
	return r.parts[topic].told
}

// Resume reads an event id for a stream of that scope with n topics. The id may be any text. If it
// is of this hub's epoch, the result has a version. If this process gave it to a stream of the same
// scope, the result also knows what the client was told.
func (h *Hub) Resume(id, scope string, n int) (r Resume) {
	rest, ours := strings.CutPrefix(id, h.epoch+"-")
	number, tag, tagged := strings.Cut(rest, ".")
	version, err := strconv.ParseInt(number, 10, 64)
	exact := err == nil && version >= 0 && strconv.FormatInt(version, 10) == number
	if !ours || !exact || len(tag) > maxTag {
		return Resume{}
	}
	content, err := tagText.DecodeString(tag)
	if err != nil || tagged != (len(content) > 0) || strings.ContainsAny(tag, "\r\n") {
		return Resume{}
	}
	r = Resume{id: id, version: version}
	if len(content) < sumSize {
		return r
	}
	sum := h.scope(scope).sum(version, content[sumSize:])
	if subtle.ConstantTimeCompare(content[:sumSize], sum[:]) == 0 {
		return r
	}
	r.parts, _ = parts(content[sumSize:], version, n)
	return r
}

// sentVersions returns the version of the state that the client holds of each topic. ok is false if
// one of them is not known, or if its topic has dropped that state.
func (r Resume) sentVersions(topics []*Topic) (versions []int64, ok bool) {
	if len(r.parts) != len(topics) || len(topics) == 0 {
		return nil, false
	}
	for i, t := range topics {
		if r.parts[i].sent == noVersion || t.find(r.parts[i].sent) == nil {
			return nil, false
		}
		versions = append(versions, r.parts[i].sent)
	}
	return versions, true
}
