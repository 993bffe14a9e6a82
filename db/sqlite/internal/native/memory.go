package native

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// MemoryVFS names the file system in which databases without a file live.
// SQLite's own ways to share a database in memory have no write-ahead log:
// their readers wait for the writer or see what it has not committed. Here
// connections behave as they do on a file.
const MemoryVFS = "ashlar-memory"

// Memory is one database in memory, as long as it is not closed.
type Memory struct {
	path   string
	broken atomic.Bool
}

// Path is what to give to Open, with MemoryVFS.
func (m *Memory) Path() string { return m.path }

// Break makes every sync fail from now on, or work again, as a disk would.
func (m *Memory) Break(broken bool) { m.broken.Store(broken) }

// Close forgets the database. Its connections must be closed before. A nil
// Memory has nothing to close.
func (m *Memory) Close() {
	if m == nil {
		return
	}
	ram.mu.Lock()
	defer ram.mu.Unlock()
	delete(ram.owners, m.path)
	for _, suffix := range []string{"", "-wal", "-journal"} {
		if f := ram.files[m.path+suffix]; f != nil {
			f.free(ram.tls)
			delete(ram.files, m.path+suffix)
		}
	}
}

// ram is the file system: files by name, and the open ones by the number that
// SQLite keeps for us. One mutex guards everything: an operation is a copy of
// a few kilobytes.
var ram struct {
	mu      sync.Mutex
	once    sync.Once
	tls     *libc.TLS
	methods uintptr
	err     error
	names   int
	owners  map[string]*Memory
	files   map[string]*ramFile
	open    map[uintptr]*ramHandle
	last    uintptr
}

// ramFile is a file's content and the locks on it.
type ramFile struct {
	owner  *Memory
	data   []byte
	shared int        // connections with at least a shared lock
	above  *ramHandle // the one with a reserved, pending or exclusive lock
	level  int32      // that lock

	regions   []uintptr // the shared memory of the write-ahead log's index
	shmShared [lib.SQLITE_SHM_NLOCK]int
	shmAlone  [lib.SQLITE_SHM_NLOCK]*ramHandle
}

func (f *ramFile) free(tls *libc.TLS) {
	for _, p := range f.regions {
		lib.Xsqlite3_free(tls, p)
	}
	f.regions = nil
}

// ramHandle is one connection's use of a file.
type ramHandle struct {
	file   *ramFile
	level  int32
	shared [lib.SQLITE_SHM_NLOCK]bool
}

// ramCFile is sqlite3_file with our number behind it.
type ramCFile struct {
	methods uintptr
	number  uintptr
}

// NewMemory makes an empty database.
func NewMemory() (*Memory, error) {
	ram.once.Do(register)
	if ram.err != nil {
		return nil, ram.err
	}
	ram.mu.Lock()
	defer ram.mu.Unlock()
	ram.names++
	m := &Memory{path: fmt.Sprintf("/memory-%d", ram.names)}
	ram.owners[m.path] = m
	return m, nil
}

// register adds the file system to the library. What is not about files
// (time, sleep, random numbers) stays the operating system's.
func register() {
	ram.tls = libc.NewTLS()
	ram.owners = make(map[string]*Memory)
	ram.files = make(map[string]*ramFile)
	ram.open = make(map[uintptr]*ramHandle)
	if rc := lib.Xsqlite3_initialize(ram.tls); rc != lib.SQLITE_OK {
		ram.err = &Error{Code: int(rc), Msg: "the SQLite library cannot start"}
		return
	}
	// Both tables live in C memory for as long as the process.
	ram.methods = lib.Xsqlite3_malloc64(ram.tls, uint64(unsafe.Sizeof(lib.Tsqlite3_io_methods{})))
	*(*lib.Tsqlite3_io_methods)(pointer(ram.methods)) = lib.Tsqlite3_io_methods{
		FiVersion:               2,
		FxClose:                 callback(ramClose),
		FxRead:                  callback(ramRead),
		FxWrite:                 callback(ramWrite),
		FxTruncate:              callback(ramTruncate),
		FxSync:                  callback(ramSync),
		FxFileSize:              callback(ramFileSize),
		FxLock:                  callback(ramLock),
		FxUnlock:                callback(ramUnlock),
		FxCheckReservedLock:     callback(ramCheckReservedLock),
		FxFileControl:           callback(ramFileControl),
		FxSectorSize:            callback(ramSectorSize),
		FxDeviceCharacteristics: callback(ramCharacteristics),
		FxShmMap:                callback(ramShmMap),
		FxShmLock:               callback(ramShmLock),
		FxShmBarrier:            callback(ramShmBarrier),
		FxShmUnmap:              callback(ramShmUnmap),
	}
	name, err := libc.CString(MemoryVFS)
	if err != nil {
		ram.err = err
		return
	}
	vfs := lib.Xsqlite3_malloc64(ram.tls, uint64(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
	v := (*lib.Tsqlite3_vfs)(pointer(vfs))
	*v = *(*lib.Tsqlite3_vfs)(pointer(lib.Xsqlite3_vfs_find(ram.tls, 0)))
	v.FpNext = 0
	v.FzName = name
	v.FszOsFile = int32(unsafe.Sizeof(ramCFile{}))
	v.FxOpen = callback(ramOpen)
	v.FxDelete = callback(ramDelete)
	v.FxAccess = callback(ramAccess)
	v.FxFullPathname = callback(ramFullPathname)
	if rc := lib.Xsqlite3_vfs_register(ram.tls, vfs, 0); rc != lib.SQLITE_OK {
		ram.err = &Error{Code: int(rc), Msg: "the file system in memory cannot be registered"}
	}
}

func ramOpen(_ *libc.TLS, _, zName, pFile uintptr, flags int32, pOutFlags uintptr) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	f := &ramFile{} // a temporary file has no name
	if zName != 0 {
		name := libc.GoString(zName)
		if f = ram.files[name]; f == nil {
			if flags&lib.SQLITE_OPEN_CREATE == 0 {
				return lib.SQLITE_CANTOPEN
			}
			f = &ramFile{owner: ownerOf(name)}
			ram.files[name] = f
		}
	}
	ram.last++
	ram.open[ram.last] = &ramHandle{file: f}
	*(*ramCFile)(pointer(pFile)) = ramCFile{methods: ram.methods, number: ram.last}
	if pOutFlags != 0 {
		*(*int32)(pointer(pOutFlags)) = flags
	}
	return lib.SQLITE_OK
}

func ramDelete(tls *libc.TLS, _, zName uintptr, _ int32) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	name := libc.GoString(zName)
	if f := ram.files[name]; f != nil {
		f.free(tls)
		delete(ram.files, name)
	}
	return lib.SQLITE_OK
}

func ramAccess(_ *libc.TLS, _, zName uintptr, _ int32, pResOut uintptr) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	there := int32(0)
	if ram.files[libc.GoString(zName)] != nil {
		there = 1
	}
	*(*int32)(pointer(pResOut)) = there
	return lib.SQLITE_OK
}

func ramFullPathname(_ *libc.TLS, _, zName uintptr, nOut int32, zOut uintptr) int32 {
	name := libc.GoString(zName)
	if len(name) >= int(nOut) {
		return lib.SQLITE_CANTOPEN
	}
	copy(unsafe.Slice((*byte)(pointer(zOut)), int(nOut)), name+"\x00")
	return lib.SQLITE_OK
}

// handle finds what SQLite's pFile stands for. The caller holds ram.mu.
func handle(pFile uintptr) *ramHandle { return ram.open[(*ramCFile)(pointer(pFile)).number] }

func ramClose(_ *libc.TLS, pFile uintptr) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	h := handle(pFile)
	h.unlock(lib.SQLITE_LOCK_NONE)
	h.unlockShm()
	delete(ram.open, (*ramCFile)(pointer(pFile)).number)
	return lib.SQLITE_OK
}

func ramRead(_ *libc.TLS, pFile, pBuf uintptr, iAmt int32, iOfst int64) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	data := handle(pFile).file.data
	dst := unsafe.Slice((*byte)(pointer(pBuf)), int(iAmt))
	n := 0
	if iOfst < int64(len(data)) {
		n = copy(dst, data[iOfst:])
	}
	if n < len(dst) {
		clear(dst[n:])
		return lib.SQLITE_IOERR_SHORT_READ
	}
	return lib.SQLITE_OK
}

func ramWrite(_ *libc.TLS, pFile, pBuf uintptr, iAmt int32, iOfst int64) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	f := handle(pFile).file
	f.resize(max(int64(len(f.data)), iOfst+int64(iAmt)))
	copy(f.data[iOfst:], unsafe.Slice((*byte)(pointer(pBuf)), int(iAmt)))
	return lib.SQLITE_OK
}

func ramTruncate(_ *libc.TLS, pFile uintptr, size int64) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	handle(pFile).file.resize(size)
	return lib.SQLITE_OK
}

func (f *ramFile) resize(size int64) {
	if old := int64(len(f.data)); size > old {
		f.data = append(f.data, make([]byte, size-old)...)
	}
	f.data = f.data[:size]
}

func ramSync(_ *libc.TLS, pFile uintptr, _ int32) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	if m := handle(pFile).file.owner; m != nil && m.broken.Load() {
		return lib.SQLITE_IOERR_FSYNC
	}
	return lib.SQLITE_OK
}

func ramFileSize(_ *libc.TLS, pFile, pSize uintptr) int32 {
	ram.mu.Lock()
	defer ram.mu.Unlock()
	*(*int64)(pointer(pSize)) = int64(len(handle(pFile).file.data))
	return lib.SQLITE_OK
}

func ramFileControl(_ *libc.TLS, _ uintptr, _ int32, _ uintptr) int32 { return lib.SQLITE_NOTFOUND }

func ramSectorSize(_ *libc.TLS, _ uintptr) int32 { return 4096 }

func ramCharacteristics(_ *libc.TLS, _ uintptr) int32 {
	return lib.SQLITE_IOCAP_ATOMIC | lib.SQLITE_IOCAP_SAFE_APPEND | lib.SQLITE_IOCAP_SEQUENTIAL | lib.SQLITE_IOCAP_POWERSAFE_OVERWRITE
}
