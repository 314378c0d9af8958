package validate

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Any stands for all ids of a kind in the name of a limit, such as friends:*. No user and no
// group can have it as an id, but for those of an older database.
const Any = "*"

// ID returns the id of a user or a group as it is kept, and what is wrong with it, or "".
// White space at its ends is cut off, and characters are composed (Unicode's NFC), so that
// ids that look the same are the same. ID of an id that it returned is that id.
func ID(s string) (id, fault string) {
	if plain(s) {
		return s, identifier(s)
	}
	id = normal(s)
	return id, identifier(id)
}

// IDIn is ID, except that an id which is in a database stands for itself: a database of an
// older version may have ids that ID would change or refuse.
func IDIn(s string, there func(id string) bool) (id, fault string) {
	id, fault = ID(s)
	if (id != s || fault != "") && s != "" && there(s) {
		return s, ""
	}
	return id, fault
}

// Name returns the name of a person or a badge as it is kept, and what is wrong with it,
// or "". It is changed as an id is. A name shows something.
func Name(s string) (name, fault string) {
	name = s
	if !plain(s) {
		name = normal(s)
	}
	if fault = Text(name, MaxName); fault == "" {
		fault = seen(name)
	}
	return name, fault
}

// plain reports whether the text is of ASCII characters that show something.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// normal cuts white space off both ends and composes characters. A character may be
// composed from one that is white space, so the ends are looked at again.
func normal(s string) string {
	return strings.TrimFunc(norm.NFC.String(strings.TrimFunc(s, whiteSpace)), whiteSpace)
}

func whiteSpace(r rune) bool { return unicode.Is(unicode.White_Space, r) }

// identifier returns what is wrong with an id that is normal.
func identifier(s string) string {
	switch {
	case s == "":
		return "is empty; give one"
	case s == "." || s == "..": // a way through folders, which no path can carry as a name
		return "can't be dots alone; give another"
	case s == Any:
		return "can't be * alone, which stands for all; give another"
	}
	if fault := Text(s, MaxID); fault != "" {
		return fault
	}
	for _, r := range s {
		switch {
		case invisible(r) || joins(r):
			return hidden(r)
		case unicode.Is(unicode.Zs, r) && r != ' ' && r != wideSpace:
			return fmt.Sprintf("has a space in it that looks like a plain one and is another character (U+%04X); write a plain space", r)
		}
	}
	return ""
}

// wideSpace is the space of Chinese and Japanese, which does not look like another.
const wideSpace = '\u3000'

// seen returns what is wrong with a name in which something invisible is, or nothing else.
// Joiners and variation selectors are parts of emoji and of letters: they stand behind a
// character that shows.
func seen(s string) string {
	shows, behind := false, false
	for _, r := range s {
		switch {
		case joins(r):
			if !behind {
				return hidden(r)
			}
			continue
		case invisible(r):
			return hidden(r)
		}
		behind = !whiteSpace(r)
		shows = shows || behind && !unicode.Is(unicode.M, r)
	}
	if !shows {
		return "is empty, or shows nothing; give one that can be seen"
	}
	return ""
}

func hidden(r rune) string {
	return fmt.Sprintf("has an invisible character in it (U+%04X); take it out", r)
}

// joins reports whether the character joins or varies others and shows nothing itself.
func joins(r rune) bool {
	const nonJoiner, joiner, firstTag, lastTag = '\u200c', '\u200d', '\U000e0020', '\U000e007f'
	return r == nonJoiner || r == joiner || firstTag <= r && r <= lastTag || unicode.Is(unicode.Variation_Selector, r)
}

// invisible reports whether the character shows nothing and is no part of another: formats,
// fillers, blanks, and what is no character.
func invisible(r rune) bool {
	return r > utf8.RuneSelf && !joins(r) && (unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point) || strings.ContainsRune(blanks, r))
}

// blanks are characters that fonts draw as nothing, though Unicode counts them as letters,
// marks or symbols: a Braille pattern without dots, a note without a head, fillers of
// scripts.
const blanks = "\u2800\U0001d159\U00013441\U00013442\U00016fe4"

// Looks returns what is left of an id when all that does not show is taken out. Ids of
// which the same is left look the same.
func Looks(id string) string {
	return normal(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), invisible(r), joins(r):
			return -1
		case unicode.Is(unicode.Zs, r) && r != wideSpace:
			return ' '
		}
		return r
	}, id))
}
