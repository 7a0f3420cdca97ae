//! What the kernel tells of processes, here of the test's own.

use std::process::{Command, Stdio};

use super::{Processes, need_files, own_cpu, own_thread_cpu};

#[test]
fn a_process_counts_with_its_children() {
    let mut child = Command::new("sleep").arg("30").stdin(Stdio::null()).spawn().unwrap();
    let own = Processes::of(vec![std::process::id()]);
    let all = own.all().unwrap();
    assert!(all.contains(&std::process::id()) && all.contains(&child.id()), "{all:?}");
    let memory = own.memory().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(memory.private > 0 && memory.proportional > 0);
    assert!(own.cpu().unwrap() > 0);
}

#[test]
fn ones_own_time_grows_and_a_threads_is_part_of_it() {
    let before = own_thread_cpu().unwrap();
    let mut sum = 0_u64;
    for number in 0..3_000_000_u64 {
        sum = std::hint::black_box(sum.wrapping_add(number));
    }
    let after = own_thread_cpu().unwrap();
    assert!(after > before);
    assert!(own_cpu().unwrap() >= after - before);
}

#[test]
fn a_process_that_is_not_there_is_told() {
    let error = Processes::of(vec![u32::MAX]).cpu().unwrap_err();
    assert!(error.to_string().contains("has ended"), "{error}");
}

#[test]
fn too_many_connections_are_told_before_anything_is_measured() {
    need_files(10).unwrap();
    let error = need_files(100_000_000).unwrap_err().to_string();
    assert!(error.contains("--connections"), "{error}");
}
