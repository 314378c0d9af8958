package sse

import "bytes"

const dataField = "\ndata: "

// maxLine bounds a line of an event, in bytes, its end included: some clients keep no more
// than 64 KB of a line, and an event may be several times that.
const maxLine = 16 << 10

// lineRoom is how much data a line has room for.
const lineRoom = maxLine - len(dataField)

// cutJSON returns how much of data, a JSON text or the rest of one behind a comma, goes into
// the next line. Clients join lines with a line feed, so a line ends where JSON may have
// white space: between two rows if it can, else behind another comma. Only a string that is
// longer than a line makes a line longer.
func cutJSON(data []byte) int {
	if len(data) <= lineRoom {
		return len(data)
	}
	between, behind := 0, 0 // the last place between objects, and behind any comma
	for i := 0; i < len(data) && (i < lineRoom || behind == 0); i++ {
		switch data[i] {
		case '"':
			i += stringEnd(data[i:])
		case ',':
			if behind = i + 1; i > 0 && data[i-1] == '}' {
				between = behind
			}
		}
	}
	switch {
	case between > 0:
		return between
	case behind > 0:
		return behind
	}
	return len(data)
}

// stringEnd returns where the JSON string ends that data begins with: the place of its last
// quotation mark, or of the last byte if it has none.
func stringEnd(data []byte) int {
	for i := 1; ; i++ {
		n := bytes.IndexByte(data[i:], '"')
		if n < 0 {
			return len(data) - 1
		}
		i += n
		escapes := 0
		for data[i-1-escapes] == '\\' { // it comes to an end at the first quotation mark
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
}

// cutBase64 returns how much of data, base64 text, goes into the next line. A line holds
// whole groups of four characters, so each can be decoded by itself.
func cutBase64(data []byte) int { return min(len(data), lineRoom/4*4) }
