package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	_ "modernc.org/sqlite"
)

// A store says who is who and who may join what. Its queries end with their
// contexts.
type store struct{ db *sql.DB }

const schema = `
CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, user TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS members (user TEXT NOT NULL, room TEXT NOT NULL, PRIMARY KEY (user, room));`

func openStore(ctx context.Context, path string) (*store, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("create tables in %s: %w", path, err), db.Close())
	}
	return &store{db}, nil
}

// user is whose token it is. The error is sql.ErrNoRows if it is no one's.
func (s *store) user(ctx context.Context, token string) (user string, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT user FROM tokens WHERE token = ?`, token).Scan(&user)
	return user, err
}

// isMember reports whether a user may join a room.
func (s *store) isMember(ctx context.Context, user, room string) (is bool, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM members WHERE user = ? AND room = ?)`, user, room).Scan(&is)
	return is, err
}
