package validate

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Any stands for all ids of a kind in the name of a board's limit, such as friends:*. It is no id
// of a user or a group, except in an older database.
const Any = "*"

// ID returns the canonical form of an id of a user or a group, and what is wrong with it, or "". It
// removes white space at both ends and composes characters (Unicode's NFC), so that ids that look
// the same are the same. A canonical id does not change.
func ID(s string) (id, fault string) {
	if isPlain(s) {
		return s, idFault(s)
	}
	id = canonical(s)
	return id, idFault(id)
}

// IDIn is ID, except that an id that exists in the database is not changed and not refused: an
// older database may have ids that ID would change or refuse.
func IDIn(s string, exists func(id string) bool) (id, fault string) {
	id, fault = ID(s)
	if (id != s || fault != "") && s != "" && exists(s) {
		return s, ""
	}
	return id, fault
}

// Name returns the canonical form of the name of a person or a badge, and what is wrong with it, or
// "". The form is the same as that of an id. A name must show something.
func Name(s string) (name, fault string) {
	name = s
	if !isPlain(s) {
		name = canonical(s)
	}
	if fault = Text(name, MaxName); fault == "" {
		fault = visibleFault(name)
	}
	return name, fault
}

// isPlain reports whether the text consists of visible ASCII characters.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// canonical removes white space at both ends and composes characters. It removes white space again
// afterwards, because composing can replace a character by one that is white space.
func canonical(s string) string {
	return strings.TrimFunc(norm.NFC.String(strings.TrimFunc(s, isWhiteSpace)), isWhiteSpace)
}

func isWhiteSpace(r rune) bool { return unicode.Is(unicode.White_Space, r) }

// idFault returns what is wrong with a canonical id.
func idFault(s string) string {
	switch {
	case s == "":
		return "is empty; give one"
	case s == "." || s == "..": // browsers and proxies would remove it from a path
		return "can't be dots alone; give another"
	case s == Any:
		return "can't be * alone, which stands for all; give another"
	}
	if fault := Text(s, MaxID); fault != "" {
		return fault
	}
	for _, r := range s {
		switch {
		case isInvisible(r) || isJoiner(r):
			return invisibleFault(r)
		case unicode.Is(unicode.Zs, r) && r != ' ' && r != wideSpace:
			return fmt.Sprintf("has a space in it that looks like a plain one but is another character (U+%04X); write a plain space", r)
		}
	}
	return ""
}

// wideSpace is the space of Chinese and Japanese. It does not look like another space.
const wideSpace = '\u3000'

// visibleFault returns what is wrong with a name that has an invisible character in it, or nothing
// that can be seen. Joiners and variation selectors are fine behind a visible character, because
// they are parts of emoji and of letters.
func visibleFault(s string) string {
	shows, behindVisible := false, false
	for _, r := range s {
		switch {
		case isJoiner(r):
			if !behindVisible {
				return invisibleFault(r)
			}
			continue
		case isInvisible(r):
			return invisibleFault(r)
		}
		behindVisible = !isWhiteSpace(r)
		shows = shows || behindVisible && !unicode.Is(unicode.M, r)
	}
	if !shows {
		return "is empty, or shows nothing; give one that can be seen"
	}
	return ""
}

func invisibleFault(r rune) string {
	return fmt.Sprintf("has an invisible character in it (U+%04X); take it out", r)
}

// isJoiner reports whether the character joins or varies others and is itself invisible.
func isJoiner(r rune) bool {
	const nonJoiner, joiner, firstTag, lastTag = '\u200c', '\u200d', '\U000e0020', '\U000e007f'
	return r == nonJoiner || r == joiner || firstTag <= r && r <= lastTag || unicode.Is(unicode.Variation_Selector, r)
}

// isInvisible reports whether the character is invisible and no joiner: a format character, a
// filler, a blank, or a code point that is not a character.
func isInvisible(r rune) bool {
	return r > utf8.RuneSelf && !isJoiner(r) && (unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point) || strings.ContainsRune(blanks, r))
}

// blanks are characters that fonts draw as nothing, although Unicode counts them as letters or
// symbols: a Braille pattern without dots, a musical note without a head, fillers of scripts.
const blanks = "\u2800\U0001d159\U00013441\U00013442\U00016fe4"

// Looks returns an id without its invisible characters. Two ids look the same if this is the same
// for both.
func Looks(id string) string {
	return canonical(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), isInvisible(r), isJoiner(r):
			return -1
		case unicode.Is(unicode.Zs, r) && r != wideSpace:
			return ' '
		}
		return r
	}, id))
}
