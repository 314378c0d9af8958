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

// An event id is <epoch>-<version>.<tag>. The tag holds all that the client was told when it
// has seen the id: for each topic of the stream the version of the state that it was sent, and
// what Own has told it. So the server remembers nothing of clients that have gone, and an id
// leads to exactly what its client holds, however the topics were published.
//
// A client learns nothing from a tag, since all of it was sent to the client before: there is
// no number in it that moves by what others do. A keyed checksum covers the tag, the version
// and the stream's scope. The key is the process's own, so what another process has said, or
// this one to another user or of other topics, is not taken for what the client holds.

const (
	sumSize = 9    // of the tag's checksum, in bytes
	maxTag  = 4096 // in characters; 32 topics take some 500
)

// tagText is base64 without the `-` that ends the epoch, and without padding.
var tagText = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~").WithPadding(base64.NoPadding).Strict()

type scopeKey [16]byte

// newKey returns a key that nobody else has.
func newKey() (key [32]byte) {
	_, _ = rand.Read(key[:]) // it never fails
	return key
}

// scope returns the key for the ids of streams of that scope.
func (h *Hub) scope(name string) (key scopeKey) {
	sum := sha256.Sum256(append(h.key[:], name...))
	copy(key[:], sum[:])
	return key
}

// sum is the checksum of a tag's content. Most of SHA-256's output is left out, so that nobody
// can continue it; that makes it as good as HMAC here, at less cost.
func (k scopeKey) sum(version int64, content []byte) (sum [sumSize]byte) {
	var space [128]byte
	text := append(binary.BigEndian.AppendUint64(append(space[:0], k[:]...), uint64(version)), content...)
	whole := sha256.Sum256(text)
	copy(sum[:], whole[:])
	return sum
}

// part is what a client was told of one topic.
type part struct {
	sent int64  // the version of the state that it was sent, noVersion for none
	told []byte // see Own.Told
}

// appendPart appends the part to a tag's content. version is the id's, which is not lower than
// that of any part.
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
	at := len(content)
	content = own.Told(content)
	content[at-1] = byte(len(content) - at)
	return content
}

// parts returns what appendPart has made n times, or false.
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

// id is the event id that says what the client was told of all topics.
func (s *subscriber) id() string { return string(s.appendID(nil, &scratch{})) }

// appendID appends it to dst, where that is not the room's.
func (s *subscriber) appendID(dst []byte, r *scratch) []byte {
	if s.lastID == noVersion {
		return dst
	}
	content := append(r.tag[:0], make([]byte, sumSize)...)
	for i := range s.follows {
		f := &s.follows[i]
		sent := f.sent
		if f.stage != following { // a stream that follows it again begins anew
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

// Resume is what an event id says of the client that saw it last. The zero value is no id.
type Resume struct {
	id      string // "" for none of this hub's epoch
	version int64
	parts   []part // of the topics in their order; nil where this process did not say so
}

// Version is the one that the id names, or -1 for none.
func (r Resume) Version() int64 {
	if r.id == "" {
		return noVersion
	}
	return r.version
}

// Told is what the Own of the topic had told the client, or nil where that is not known. The
// topics are counted from 0, in the order of the stream's follows.
func (r Resume) Told(topic int) []byte {
	if topic >= len(r.parts) {
		return nil
	}
	return r.parts[topic].told
}

// Resume returns what the event id says to a stream of that scope with n topics. It may be any
// text. An id of this hub's epoch that this process did not give to a stream of the scope has
// a version alone.
func (h *Hub) Resume(id, scope string, n int) (r Resume) {
	rest, ours := strings.CutPrefix(id, h.epoch+"-")
	number, tag, tagged := strings.Cut(rest, ".")
	version, err := strconv.ParseInt(number, 10, 64)
	if !ours || err != nil || version < 0 || strconv.FormatInt(version, 10) != number || len(tag) > maxTag {
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

// held returns the versions of the topics' states that the client holds, or false where a
// state is not known any more.
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
