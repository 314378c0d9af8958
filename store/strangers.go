package store

import (
	"hash/maphash"
	"slices"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// strangers remembers whom users asked to be friends with though nobody has that id. Such a
// wish is not stored, but counts as one of MaxWishes: otherwise the wish that is one too many
// would tell whether the last one was for somebody.
//
// It lives in memory: a restart forgets. It belongs to the writer's goroutine.
type strangers struct {
	seed maphash.Seed
	of   *simplelru.LRU[uint32, []uint64] // hashes of ids, by the number of the user who asked
}

// maxStrangers bounds the users whose strangers are remembered. They take 4 MiB at most. Past
// it, the user who asked longest ago is forgotten.
const maxStrangers = 1024

func newStrangers() strangers {
	of, _ := simplelru.NewLRU[uint32, []uint64](maxStrangers, nil) // which minds numbers below 1
	return strangers{maphash.MakeSeed(), of}
}

// besides returns how many strangers the user asked, the one with the id not counted, and
// whether that one is among them.
func (s strangers) besides(user uint32, id string) (others int, asked bool) {
	list, _ := s.of.Get(user)
	asked = slices.Contains(list, s.hash(id))
	if asked {
		return len(list) - 1, true
	}
	return len(list), false
}

// note remembers that the user asked the stranger with the id.
func (s strangers) note(user uint32, id string) {
	list, _ := s.of.Get(user)
	if hash := s.hash(id); !slices.Contains(list, hash) {
		s.of.Add(user, append(list, hash))
	}
}

// forget is note's opposite.
func (s strangers) forget(user uint32, id string) {
	list, _ := s.of.Get(user)
	if i := slices.Index(list, s.hash(id)); i >= 0 {
		s.of.Add(user, slices.Delete(list, i, i+1))
	}
}

func (s strangers) hash(id string) uint64 { return maphash.String(s.seed, id) }
