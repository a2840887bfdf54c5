//! The guest's allocator: a pointer that only moves up, because an instance lives for one call.
//! Never: frees, locks or grows memory before the first page is full.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::cell::Cell;
use core::ptr;

const PAGE_BYTES: usize = 65_536;

unsafe extern "C" {
    /// Where the linker puts the end of data and stack.
    static __heap_base: u8;
}

/// The next free address and the end of memory; zero until the first allocation.
struct Bump {
    next: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: a guest has one thread; the host switches the threads proposal off.
unsafe impl Sync for Bump {}

#[global_allocator]
static BUMP: Bump = Bump { next: Cell::new(0), end: Cell::new(0) };

impl Bump {
    /// Makes sure that memory reaches `top`; false when the host refuses to grow it.
    fn reach(&self, top: usize) -> bool {
        if top <= self.end.get() {
            return true;
        }
        let pages = (top - self.end.get()).div_ceil(PAGE_BYTES);
        if wasm32::memory_grow(0, pages) == usize::MAX {
            return false;
        }
        self.end.set(wasm32::memory_size(0) * PAGE_BYTES);
        true
    }

    fn start(&self) -> usize {
        if self.next.get() == 0 {
            self.next.set((&raw const __heap_base).addr());
            self.end.set(wasm32::memory_size(0) * PAGE_BYTES);
        }
        self.next.get()
    }
}

// SAFETY: blocks are aligned, inside memory and disjoint, because `next` only grows past what was handed out.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let at = self.start().next_multiple_of(layout.align());
        let Some(top) = at.checked_add(layout.size()) else { return ptr::null_mut() };
        if !self.reach(top) {
            return ptr::null_mut();
        }
        self.next.set(top);
        ptr::with_exposed_provenance_mut(at)
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let at = block.addr();
        if at + layout.size() == self.next.get() {
            // The last block grows or shrinks where it is.
            let Some(top) = at.checked_add(new_size) else { return ptr::null_mut() };
            if !self.reach(top) {
                return ptr::null_mut();
            }
            self.next.set(top);
            return block;
        }
        if new_size <= layout.size() {
            return block;
        }
        // SAFETY: the caller vouches for `layout`; the new block cannot overlap the old one.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size());
            }
            new
        }
    }
}
