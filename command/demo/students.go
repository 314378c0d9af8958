// Package demo invents a school whose students complete exercises at a human pace, so that there is
// a board to look at. Fill writes a week of history; Run goes on from there; Handler lets a visitor
// be one of the students.
package demo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"marcador/store"
)

var (
	givenNames = strings.Fields(`Itzel Balam Nicté Ixchel Canek Xóchitl Citlali Yaretzi Akbal Zazil Sofía Mateo
		Valentina Santiago Regina Emiliano Camila Leonardo Ximena Diego Renata Sebastián Fernanda Rodrigo Mariana
		Iker Daniela Ángel Lucía Gael Natalia Andrés Paola Julián Abril Tomás Elena Joaquín Alicia Bruno`)
	surnames = strings.Fields(`Canul Chan Pech Dzul Uc Poot Tun May Cauich Ek García Hernández Martínez López
		González Pérez Rodríguez Sánchez Ramírez Cruz Flores Gómez Morales Vázquez Jiménez Reyes Torres Díaz
		Gutiérrez Ruiz Mendoza Aguilar Ortiz Castillo Moreno Romero Álvarez Chávez Rivera Domínguez`)
	schools    = []school{{"benito-juarez", "Benito Juárez"}, {"rosario-castellanos", "Rosario Castellanos"}, {"felipe-carrillo-puerto", "Felipe Carrillo Puerto"}}
	classrooms = []string{"4A", "4B", "5A", "5B"}
)

type school struct{ id, name string }

// student is a pupil of the school, as the page shows them and as the demo plays them.
type student struct {
	UserID    string `json:"userId"`
	Username  string `json:"username"`
	School    string `json:"school"`
	Classroom string `json:"classroom"`

	profile store.Profile
	start   int64   // points from before the invented week
	zeal    float64 // how often they study; 1 is usual
}

// enrol makes n students. The same source of numbers gives the same students.
func enrol(rng *rand.Rand, n int) []student {
	list := make([]student, 0, n)
	used := map[string]bool{}
	for len(list) < n {
		name := pick(rng, givenNames) + " " + pick(rng, surnames)
		if len(used) < len(givenNames)*len(surnames)/2 && used[name] {
			continue
		}
		id := slug(name)
		if used[name] { // too few names: add a second surname, and a number to the id
			name += " " + pick(rng, surnames)
			id = fmt.Sprintf("%s-%d", slug(name), len(list))
		}
		used[name] = true
		at := schools[len(list)%len(schools)]
		room := classrooms[len(list)/len(schools)%len(classrooms)]
		st := student{
			UserID: id, Username: name, School: at.name, Classroom: room,
			profile: store.Profile{ID: id, Username: name, Groups: map[string][]string{
				"school":    {at.id},
				"classroom": {at.id + "-" + strings.ToLower(room)},
			}},
		}
		st.start, st.zeal = character(rng, len(list))
		list = append(list, st)
	}
	return list
}

// character returns a student's first points and zeal. Most students are average. A few are far
// ahead, and some follow them. Both groups study a lot and have close scores, so that the top of
// the board, where people look, keeps changing.
func character(rng *rand.Rand, i int) (start int64, zeal float64) {
	switch {
	case i%60 == 3:
		return 95_800 + 5*rng.Int64N(200), 6
	case i%15 == 5:
		return 20_800 + 5*rng.Int64N(300), 5
	}
	return 5 * int64(800*math.Exp(rng.NormFloat64()*0.55)), math.Exp(rng.NormFloat64() * 0.6)
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// boards returns the titles of the groups' boards, by board.
func boards(students []student) map[string]string {
	names := map[string]string{}
	for _, st := range students {
		for _, id := range st.profile.Groups["school"] {
			names["school:"+id] = st.School
		}
		for _, id := range st.profile.Groups["classroom"] {
			names["classroom:"+id] = st.Classroom + ", " + st.School
		}
	}
	return names
}

// friendsOf returns a student's friends: neighbours in the class, students of other schools, and
// one of the eager ones.
func friendsOf(students []student, i int) (friends []string) {
	class := len(schools) * len(classrooms)
	seen := map[int]bool{i: true}
	for _, other := range []int{i - class, i + class, i + 2*class, i - 1, i + 1, i/15*15 + 5} {
		if other = (other + len(students)) % len(students); other >= 0 && !seen[other] {
			seen[other] = true
			friends = append(friends, students[other].UserID)
		}
	}
	return friends
}

// slug returns a name as an id that needs no escaping in a URL: "Nicté Poot" is nicte-poot.
func slug(name string) string {
	plain, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), name)
	if err != nil {
		panic(err) // every name above can be transformed
	}
	return strings.ReplaceAll(strings.ToLower(plain), " ", "-")
}
