# Shortcuts; scripts/test is what counts.
.PHONY: test fmt lint bench load

test:  ; scripts/test
lint:  ; scripts/test lint
fmt:   ; gofmt -w .
bench: ; go test -run '^$$' -bench . ./...
load:  ; go run ./loadtest
