package native

import (
	"strings"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// The locks of the file system in memory, by SQLite's rules: many shared or
// one exclusive on a file, and the same for each of eight slots of the shared
// memory through which connections agree about the write-ahead log.

func ramLock(_ *libc.TLS, pFile uintptr, level int32) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	h := handle(pFile)
	f := h.file
	if h.level >= level {
		return lib.SQLITE_OK
	}
	if level == lib.SQLITE_LOCK_SHARED {
		if f.above != nil && f.level >= lib.SQLITE_LOCK_PENDING {
			return lib.SQLITE_BUSY
		}
		f.shared++
		h.level = level
		return lib.SQLITE_OK
	}
	if f.above != nil && f.above != h {
		return lib.SQLITE_BUSY
	}
	f.above = h
	if level == lib.SQLITE_LOCK_EXCLUSIVE && f.shared > 1 {
		// No new reader, until those that are here have gone.
		f.level, h.level = lib.SQLITE_LOCK_PENDING, lib.SQLITE_LOCK_PENDING
		return lib.SQLITE_BUSY
	}
	f.level, h.level = level, level
	return lib.SQLITE_OK
}

func ramUnlock(_ *libc.TLS, pFile uintptr, level int32) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	handle(pFile).unlock(level)
	return lib.SQLITE_OK
}

// unlock lowers the lock to shared or none. The caller holds ram.mu.
func (h *ramHandle) unlock(level int32) {
	f := h.file
	if h.level <= level {
		return
	}
	if f.above == h {
		f.above, f.level = nil, lib.SQLITE_LOCK_NONE
	}
	if level == lib.SQLITE_LOCK_NONE {
		f.shared--
	}
	h.level = level
}

func ramCheckReservedLock(_ *libc.TLS, pFile, pResOut uintptr) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	taken := int32(0)
	if handle(pFile).file.above != nil {
		taken = 1
	}
	*(*int32)(pointer(pResOut)) = taken
	return lib.SQLITE_OK
}

func ramShmMap(tls *libc.TLS, pFile uintptr, region, size, extend int32, pp uintptr) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	f := handle(pFile).file
	*(*uintptr)(pointer(pp)) = 0
	for int(region) >= len(f.regions) {
		if extend == 0 {
			return lib.SQLITE_OK
		}
		p := lib.Xsqlite3_malloc64(tls, uint64(size))
		if p == 0 {
			return lib.SQLITE_NOMEM
		}
		libc.Xmemset(tls, p, 0, libc.Tsize_t(size))
		f.regions = append(f.regions, p)
	}
	*(*uintptr)(pointer(pp)) = f.regions[region]
	return lib.SQLITE_OK
}

func ramShmLock(_ *libc.TLS, pFile uintptr, offset, n, flags int32) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	h := handle(pFile)
	slots := h.file.slots(offset, n)
	switch {
	case flags&lib.SQLITE_SHM_UNLOCK != 0:
		for _, i := range slots {
			h.releaseShm(i)
		}
	case flags&lib.SQLITE_SHM_SHARED != 0:
		for _, i := range slots {
			if h.file.shmAlone[i] != nil {
				return lib.SQLITE_BUSY
			}
		}
		for _, i := range slots {
			if !h.shared[i] {
				h.shared[i] = true
				h.file.shmShared[i]++
			}
		}
	default: // exclusive
		for _, i := range slots {
			others := h.file.shmShared[i]
			if h.shared[i] {
				others--
			}
			if alone := h.file.shmAlone[i]; others > 0 || alone != nil && alone != h {
				return lib.SQLITE_BUSY
			}
		}
		for _, i := range slots {
			h.file.shmAlone[i] = h
		}
	}
	return lib.SQLITE_OK
}

func (f *ramFile) slots(offset, n int32) []int {
	slots := make([]int, 0, lib.SQLITE_SHM_NLOCK)
	for i := range n {
		slots = append(slots, int(offset+i))
	}
	return slots
}

func (h *ramHandle) releaseShm(i int) {
	if h.shared[i] {
		h.shared[i] = false
		h.file.shmShared[i]--
	}
	if h.file.shmAlone[i] == h {
		h.file.shmAlone[i] = nil
	}
}

func (h *ramHandle) unlockShm() {
	for i := range h.shared {
		h.releaseShm(i)
	}
}

// ramShmBarrier orders memory accesses, as taking any mutex does.
func ramShmBarrier(_ *libc.TLS, _ uintptr) {
	ram.mu.Lock()
	defer ram.mu.Unlock() //nolint:gocritic // staticcheck takes the pair without defer for a mistake
}

func ramShmUnmap(tls *libc.TLS, pFile uintptr, remove int32) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	h := handle(pFile)
	h.unlockShm()
	if remove != 0 {
		h.file.free(tls)
	}
	return lib.SQLITE_OK
}

// ownerOf is the database that a file with this name belongs to. The caller
// holds ram.mu.
func ownerOf(name string) *Memory {
	name = strings.TrimSuffix(strings.TrimSuffix(name, "-wal"), "-journal")
	return ram.owners[name]
}
