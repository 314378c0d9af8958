package main

import (
	"crypto/sha256"
	"fmt"
)

// people is how many the board has: as many as a broadcast shows.
const people = 100

var (
	firstNames = [...]string{"María José", "Juan", "Sofía", "Diego", "Ximena", "José Ángel", "Valentina", "Emiliano", "Itzel", "Andrés", "Renata"}
	surnames   = [...]string{"Pérez", "Chan Poot", "García", "Pech", "Hernández", "Núñez", "Canul Uc", "Díaz", "Ramírez"}
)

// personID is a UUID that is the same in each run.
func personID(n int) string {
	h := sha256.Sum256(fmt.Appendf(nil, "person %d", n))
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// profile is a person as POST /v1/users takes them. Every sixth has an avatar.
func profile(n int) map[string]any {
	p := map[string]any{
		"id":       personID(n),
		"username": firstNames[n%len(firstNames)] + " " + surnames[n%len(surnames)],
	}
	if n%6 == 0 {
		p["avatar"] = "https://cdn.example.org/avatars/" + personID(n)[:8] + ".webp"
	}
	return p
}

// points is what a person begins with: so far from the next that single points
// move nobody.
func points(n int) int { return 9_900 - n*95 }
