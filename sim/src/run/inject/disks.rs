//! Faults of disks, done and undone. Whatever a fault sets it puts back as it was; validation gives each setting one owner
//! at a time.

use cluster::world::NodeId;

use super::Injector;
use crate::scenario::Injection;
use crate::world::{DiskRule, DiskSettings, FileKind};

impl Injector {
    /// Does a fault of a disk; `None` for one that is none.
    pub(super) async fn inject_disk(&self, injection: &Injection, end: u64) -> Option<u64> {
        Some(match injection {
            Injection::SlowDisk { node, factor } => self.slow_disk(*node, *factor, end).await,
            Injection::Disk { node, fault, file, hit } => {
                let rule = DiskRule { fault: *fault, file: *file, hit: *hit };
                self.disk_rule(*node, rule, end).await
            }
            Injection::FullDisk { node, room_bytes } => {
                let disk = self.cluster.member(*node).machine.disk();
                let quota_bytes = disk.settings().quota_bytes;
                disk.leave_room(*room_bytes);
                let met = self.refused_until(*node, end).await;
                disk.set(DiskSettings { quota_bytes, ..disk.settings() });
                met
            }
            Injection::ReadOnlyDisk { node } => {
                let disk = self.cluster.member(*node).machine.disk();
                disk.set(DiskSettings { read_only: true, ..disk.settings() });
                let met = self.refused_until(*node, end).await;
                disk.set(DiskSettings { read_only: false, ..disk.settings() });
                met
            }
            Injection::StalledDisk { node } => {
                let machine = &self.cluster.member(*node).machine;
                let before = machine.counters().disk.operations();
                machine.disk().stall_micros(self.micros_until(end));
                self.wait_until(end).await;
                machine.counters().disk.operations() - before
            }
            Injection::ThrottledDisk { node, bytes_per_second } => self.throttle(*node, *bytes_per_second, end).await,
            Injection::BitRot { node, file, bytes } => self.rot(*node, *file, *bytes),
            _ => return None,
        })
    }

    async fn slow_disk(&self, node: NodeId, factor: u32, end: u64) -> u64 {
        let machine = &self.cluster.member(node).machine;
        let before = machine.counters().disk.operations();
        self.multiply_slowness(node, factor);
        self.wait_until(end).await;
        self.divide_slowness(node, factor);
        machine.counters().disk.operations() - before
    }

    pub(super) fn multiply_slowness(&self, node: NodeId, factor: u32) {
        let disk = self.cluster.member(node).machine.disk();
        let mut settings = disk.settings();
        settings.slow_factor *= u64::from(factor);
        disk.set(settings);
    }

    pub(super) fn divide_slowness(&self, node: NodeId, factor: u32) {
        let disk = self.cluster.member(node).machine.disk();
        let mut settings = disk.settings();
        settings.slow_factor /= u64::from(factor);
        disk.set(settings);
    }

    async fn disk_rule(&self, node: NodeId, rule: DiskRule, end: u64) -> u64 {
        let disk = self.cluster.member(node).machine.disk();
        let id = disk.put_up(rule, self.rng.clone());
        self.wait_until(end).await;
        disk.take_down(id)
    }

    /// Waits until the end; returns how many calls the disk refused or spoilt meanwhile.
    async fn refused_until(&self, node: NodeId, end: u64) -> u64 {
        let machine = &self.cluster.member(node).machine;
        let before = machine.counters().disk.faults_injected;
        self.wait_until(end).await;
        machine.counters().disk.faults_injected - before
    }

    async fn throttle(&self, node: NodeId, bytes_per_second: u64, end: u64) -> u64 {
        let machine = &self.cluster.member(node).machine;
        let (disk, before) = (machine.disk(), machine.counters().disk);
        let DiskSettings { append_bytes_per_second, read_bytes_per_second, .. } = disk.settings();
        let slow = bytes_per_second;
        disk.set(DiskSettings { append_bytes_per_second: slow, read_bytes_per_second: slow, ..disk.settings() });
        self.wait_until(end).await;
        disk.set(DiskSettings { append_bytes_per_second, read_bytes_per_second, ..disk.settings() });
        let after = machine.counters().disk;
        after.appends + after.reads - before.appends - before.reads
    }

    fn rot(&self, node: NodeId, file: Option<FileKind>, bytes: u64) -> u64 {
        self.cluster.member(node).machine.disk().rot_kind(file, bytes, &mut self.rng.clone())
    }
}
