package store

import (
	"hash/maphash"
	"slices"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// strangers are ids that no user has and that users asked to be friends with. Such a wish is not
// stored, but it counts towards MaxWishes. Otherwise a user with MaxWishes-1 wishes could learn
// whether an id exists: a wish for an existing id would use up the last wish, and a wish for an id
// of nobody would not.
//
// It is in memory, so a restart forgets it. It belongs to the writer's goroutine.
type strangers struct {
	seed maphash.Seed
	of   *simplelru.LRU[uint32, []uint64] // hashes of ids, by the number of the user who asked
}

// maxStrangers bounds the users in strangers, which take 4 MiB at most. Above it, the least
// recently used entry is dropped.
const maxStrangers = 1024

func newStrangers() strangers {
	of, _ := simplelru.NewLRU[uint32, []uint64](maxStrangers, nil) // its only error is a size below 1
	return strangers{maphash.MakeSeed(), of}
}

// besides returns how many strangers the user asked, without the one with the id, and whether the
// user asked that one.
func (s strangers) besides(user uint32, id string) (others int, asked bool) {
	list, _ := s.of.Get(user)
	asked = slices.Contains(list, s.hash(id))
	if asked {
		return len(list) - 1, true
	}
	return len(list), false
}

// add adds the stranger with the id to those the user asked.
func (s strangers) add(user uint32, id string) {
	list, _ := s.of.Get(user)
	if hash := s.hash(id); !slices.Contains(list, hash) {
		s.of.Add(user, append(list, hash))
	}
}

// remove removes the stranger with the id from those the user asked.
func (s strangers) remove(user uint32, id string) {
	list, _ := s.of.Get(user)
	if i := slices.Index(list, s.hash(id)); i >= 0 {
		s.of.Add(user, slices.Delete(list, i, i+1))
	}
}

func (s strangers) hash(id string) uint64 { return maphash.String(s.seed, id) }
