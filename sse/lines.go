package sse

import "bytes"

const dataField = "\ndata: "

// maxLine bounds a line of an event, in bytes, with its line end. Some clients can't read lines of
// more than 64 KB, and an event's data may be longer than that.
const maxLine = 16 << 10

// lineRoom is how many bytes of data fit into a line.
const lineRoom = maxLine - len(dataField)

// cutJSON returns how much of data goes into the next line. data is a JSON text, or the rest of one
// after a comma. Clients join lines with a line feed, so a line must end where JSON may have white
// space: between two objects if possible, else after another comma. A line is longer than maxLine
// only if a single string is.
func cutJSON(data []byte) int {
	if len(data) <= lineRoom {
		return len(data)
	}
	between, behind := 0, 0 // the line may end there: between objects, after any comma
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

// stringEnd returns the index of the quotation mark that closes the JSON string at the beginning
// of data, or of the last byte if the string is not closed.
func stringEnd(data []byte) int {
	for i := 1; ; i++ {
		n := bytes.IndexByte(data[i:], '"')
		if n < 0 {
			return len(data) - 1
		}
		i += n
		escapes := 0
		for data[i-1-escapes] == '\\' { // the opening quotation mark stops it
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
}

// cutBase64 returns how much of data, a base64 text, goes into the next line. A line has whole
// groups of four characters, so each line can be decoded by itself.
func cutBase64(data []byte) int { return min(len(data), lineRoom/4*4) }
