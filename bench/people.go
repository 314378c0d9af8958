package main

import (
	"crypto/sha256"
	"fmt"
)

// people is the number of users on the board, as many as a broadcast has rows.
const people = 100

var (
	firstNames = [...]string{"María José", "Juan", "Sofía", "Diego", "Ximena", "José Ángel", "Valentina", "Emiliano", "Itzel", "Andrés", "Renata"}
	surnames   = [...]string{"Pérez", "Chan Poot", "García", "Pech", "Hernández", "Núñez", "Canul Uc", "Díaz", "Ramírez"}
)

// personID returns the user's id, a UUID that is the same in each run.
func personID(n int) string {
	h := sha256.Sum256(fmt.Appendf(nil, "person %d", n))
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// profile returns a user for POST /v1/users. Every sixth has an avatar.
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

// points returns a user's first points. The next user's are so far away that single points move
// nobody.
func points(n int) int { return 9_900 - n*95 }
