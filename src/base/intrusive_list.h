// IntrusiveList: a doubly linked list through members of its elements; no allocation, O(1) removal.
#pragma once

#include <cstddef>
#include <iterator>

#include "base/check.h"

namespace weir::base {

/// Base class that makes a type linkable into an IntrusiveList<T, Tag>; one Tag per list that an object can be
/// in at a time. Unlinks itself when destroyed.
template <typename Tag = void>
class ListNode {
 public:
  ListNode() noexcept = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (next_ == nullptr) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    next_ = prev_ = nullptr;
  }

 private:
  template <typename T, typename U>
  friend class IntrusiveList;
  ListNode* next_ = nullptr;
  ListNode* prev_ = nullptr;
};

/// Does not own its elements. The list may be destroyed before them: they are unlinked.
template <typename T, typename Tag = void>
class IntrusiveList {
  using Node = ListNode<Tag>;

 public:
  class iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = T*;
    using reference = T&;
    explicit iterator(Node* node) noexcept : node_(node) {}
    T& operator*() const noexcept { return static_cast<T&>(*node_); }
    T* operator->() const noexcept { return static_cast<T*>(node_); }
    iterator& operator++() noexcept {
      node_ = next(node_);
      return *this;
    }
    bool operator==(const iterator&) const noexcept = default;

   private:
    Node* node_;
  };

  IntrusiveList() noexcept { head_.next_ = head_.prev_ = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() { clear(); }

  bool empty() const noexcept { return head_.next_ == &head_; }
  size_t size() const noexcept {  // O(n)
    size_t n = 0;
    for (const Node* node = head_.next_; node != &head_; node = node->next_) ++n;
    return n;
  }
  /// Requires: not empty.
  T& front() noexcept { return static_cast<T&>(*head_.next_); }
  T& back() noexcept { return static_cast<T&>(*head_.prev_); }
  /// Requires: the element is in no list of this Tag.
  void push_back(T& element) noexcept { insert_before(&head_, element); }
  void push_front(T& element) noexcept { insert_before(head_.next_, element); }
  /// Null if empty.
  T* pop_front() noexcept {
    if (empty()) return nullptr;
    T& element = front();
    static_cast<Node&>(element).unlink();
    return &element;
  }
  static void erase(T& element) noexcept { static_cast<Node&>(element).unlink(); }
  void clear() noexcept {
    while (pop_front() != nullptr) {
    }
  }
  /// Erasing invalidates the iterator of the erased element only.
  iterator begin() noexcept { return iterator(head_.next_); }
  iterator end() noexcept { return iterator(&head_); }

 private:
  static Node* next(Node* node) noexcept { return node->next_; }
  static void insert_before(Node* place, T& element) noexcept {
    Node& node = element;
    WEIR_DCHECK(!node.linked());
    node.next_ = place;
    node.prev_ = place->prev_;
    place->prev_->next_ = &node;
    place->prev_ = &node;
  }

  Node head_;
};

}  // namespace weir::base
