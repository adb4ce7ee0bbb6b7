//! An ordered map whose copies are free: an edit copies the path to what it changes and shares the rest.
//!
//! ```text
//!            node: item, the sum over its subtree
//!           ╱    ╲            a node's priority, a hash of its item, is above those of its children
//!       smaller   greater
//! ```
//!
//! It is a treap (Aragon and Seidel 1989) whose priorities are hashes of the items instead of random numbers: its form
//! depends on what is in it and not on how it came to be, and its depth is logarithmic as long as nobody chooses the
//! numbers of tables to spite it. Every node sums up its subtree, so the bytes of a range and the next table that is due
//! are found without looking at all.

use std::sync::Arc;

/// Something that lies in a tree.
pub(super) trait Item: Clone {
    /// What it is ordered by; no two items of a tree have the same.
    type Key: Ord + ?Sized;
    /// What is summed up over items.
    type Summary: Copy + std::fmt::Debug;

    fn key(&self) -> &Self::Key;
    fn priority(&self) -> u64;
    fn summary(&self) -> Self::Summary;
    fn combined(left: Self::Summary, right: Self::Summary) -> Self::Summary;
}

/// A fixed mixing of a number (the finalizer of splitmix64).
pub(super) fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[derive(Debug)]
struct Node<I: Item> {
    left: Link<I>,
    right: Link<I>,
    item: I,
    summary: I::Summary,
}

type Link<I> = Option<Arc<Node<I>>>;

/// An ordered map of items.
#[derive(Debug)]
pub(super) struct Tree<I: Item> {
    root: Link<I>,
}

impl<I: Item> Clone for Tree<I> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone() }
    }
}

impl<I: Item> Default for Tree<I> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<I: Item> Tree<I> {
    pub(super) fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The sum over all items; `None` when there are none.
    pub(super) fn summary(&self) -> Option<I::Summary> {
        self.root.as_ref().map(|node| node.summary)
    }

    /// This tree and an item whose key is not in it.
    pub(super) fn with(&self, item: I) -> Self {
        let (left, right) = split(&self.root, item.key());
        let single = Some(node(None, None, item));
        Self { root: join(&join(&left, &single), &right) }
    }

    /// This tree without the item of a key, if there is one.
    pub(super) fn without(&self, key: &I::Key) -> Self {
        Self { root: without(&self.root, key) }
    }

    pub(super) fn get(&self, key: &I::Key) -> Option<&I> {
        self.at_or_before(key).filter(|item| item.key() == key)
    }

    /// The last item at or before a key.
    pub(super) fn at_or_before(&self, key: &I::Key) -> Option<&I> {
        let (mut link, mut found) = (&self.root, None);
        while let Some(node) = link {
            if node.item.key() <= key {
                found = Some(&node.item);
                link = &node.right;
            } else {
                link = &node.left;
            }
        }
        found
    }

    /// The last item of all.
    pub(super) fn last(&self) -> Option<&I> {
        let mut node = self.root.as_ref()?;
        while let Some(right) = &node.right {
            node = right;
        }
        Some(&node.item)
    }

    /// The sum over the items before a key.
    pub(super) fn summary_before(&self, key: &I::Key) -> Option<I::Summary> {
        let (mut link, mut sum) = (&self.root, None);
        while let Some(node) = link {
            if node.item.key() < key {
                sum = combined::<I>(sum, node.left.as_ref().map(|left| left.summary));
                sum = combined::<I>(sum, Some(node.item.summary()));
                link = &node.right;
            } else {
                link = &node.left;
            }
        }
        sum
    }

    /// The items in order, from the first at or behind a key.
    pub(super) fn from<'a>(&'a self, key: &I::Key) -> Items<'a, I> {
        let (mut link, mut waiting) = (&self.root, Vec::new());
        while let Some(node) = link {
            if node.item.key() >= key {
                waiting.push(node.as_ref());
                link = &node.left;
            } else {
                link = &node.right;
            }
        }
        Items { waiting }
    }

    /// All items in order.
    pub(super) fn iter(&self) -> Items<'_, I> {
        let mut items = Items { waiting: Vec::new() };
        items.descend(&self.root);
        items
    }

    /// The first `most` items, in order, that `wants` of their own summaries. `wants` must say yes of a sum whenever it
    /// does of a part of it.
    pub(super) fn wanted(&self, most: usize, wants: &impl Fn(&I::Summary) -> bool) -> Vec<&I> {
        let mut found = Vec::new();
        collect_wanted(&self.root, most, wants, &mut found);
        found
    }
}

/// Items in order.
pub(super) struct Items<'a, I: Item> {
    /// Nodes whose left sides are done, the next one last.
    waiting: Vec<&'a Node<I>>,
}

impl<'a, I: Item> Items<'a, I> {
    fn descend(&mut self, mut link: &'a Link<I>) {
        while let Some(node) = link {
            self.waiting.push(node.as_ref());
            link = &node.left;
        }
    }
}

impl<'a, I: Item> Iterator for Items<'a, I> {
    type Item = &'a I;

    fn next(&mut self) -> Option<&'a I> {
        let node = self.waiting.pop()?;
        self.descend(&node.right);
        Some(&node.item)
    }
}

fn combined<I: Item>(left: Option<I::Summary>, right: Option<I::Summary>) -> Option<I::Summary> {
    match (left, right) {
        (Some(left), Some(right)) => Some(I::combined(left, right)),
        (left, right) => left.or(right),
    }
}

fn node<I: Item>(left: Link<I>, right: Link<I>, item: I) -> Arc<Node<I>> {
    let below = |link: &Link<I>| link.as_ref().map(|node| node.summary);
    let sum = combined::<I>(combined::<I>(below(&left), Some(item.summary())), below(&right));
    Arc::new(Node { summary: sum.expect("the item itself is part of it"), left, right, item })
}

/// What is before a key, and what is at or behind it.
fn split<I: Item>(link: &Link<I>, key: &I::Key) -> (Link<I>, Link<I>) {
    let Some(top) = link else { return (None, None) };
    if top.item.key() < key {
        let (middle, right) = split(&top.right, key);
        (Some(node(top.left.clone(), middle, top.item.clone())), right)
    } else {
        let (left, middle) = split(&top.left, key);
        (left, Some(node(middle, top.right.clone(), top.item.clone())))
    }
}

/// One tree of two, where everything in `left` is before everything in `right`.
fn join<I: Item>(left: &Link<I>, right: &Link<I>) -> Link<I> {
    match (left, right) {
        (None, link) | (link, None) => link.clone(),
        (Some(a), Some(b)) if a.item.priority() >= b.item.priority() => {
            Some(node(a.left.clone(), join(&a.right, right), a.item.clone()))
        }
        (Some(_), Some(b)) => Some(node(join(left, &b.left), b.right.clone(), b.item.clone())),
    }
}

fn without<I: Item>(link: &Link<I>, key: &I::Key) -> Link<I> {
    let top = link.as_ref()?;
    match key.cmp(top.item.key()) {
        std::cmp::Ordering::Less => Some(node(without(&top.left, key), top.right.clone(), top.item.clone())),
        std::cmp::Ordering::Equal => join(&top.left, &top.right),
        std::cmp::Ordering::Greater => Some(node(top.left.clone(), without(&top.right, key), top.item.clone())),
    }
}

fn collect_wanted<'a, I: Item>(
    link: &'a Link<I>,
    most: usize,
    wants: &impl Fn(&I::Summary) -> bool,
    found: &mut Vec<&'a I>,
) {
    let Some(node) = link else { return };
    if found.len() >= most || !wants(&node.summary) {
        return;
    }
    collect_wanted(&node.left, most, wants, found);
    if found.len() < most && wants(&node.item.summary()) {
        found.push(&node.item);
    }
    collect_wanted(&node.right, most, wants, found);
}
